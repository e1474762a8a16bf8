"""The schema: what lies in the file, and how a file of an earlier version becomes one of this.

A job is one row, and lies in one place of one index, `turn`: by (queue, lane, at, place). Its *lane* says what it does:

    -priority   it can be popped, in its turn: `at` is its due time, `place` the order of the pushes
    SCHEDULED   it rests until it comes due, at `at`
    LEASED      it rests until its lease is over, `at` being the first moment after it

So the next job of a queue is the first entry below SCHEDULED, and what is on its way next is the first entry of either
lane of rest, however many jobs run or wait for a later time. A pop first moves those whose rest is over into the lane
of their priority. Each job moves once for each rest, so all is O(log n), amortised.

A job keeps its `runner` and its count of deliveries in whatever lane: the holder stays the holder until the job is
popped again. `lapsed` is an index of the few that have a holder and can be popped, for the gauges.

The version is `user_version`; `MIGRATIONS[n]` leads from version n to n + 1. A migration never changes once released.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

from jobcore.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION_ID = 0x6A6F6263  # "jobc"
OLDEST_SQLITE = (3, 37, 0)  # with the JSON functions, an option until 3.38 that every distribution has taken

ROOM = "PRAGMA auto_vacuum = incremental"
"""Lets a file give free pages back; it counts before the first table is made."""

SCHEDULED = 40_000
LEASED = 40_001

BACKOFF = '{"exponential":2,"cap":null,"jitter":0}'
"""What an empty text in the column `backoff` stands for."""

_UUID = (
    "lower(substr({0},1,8)||'-'||substr({0},9,4)||'-'||substr({0},13,4)||'-'||substr({0},17,4)||'-'||substr({0},21))"
)
_TIME = "strftime('%Y-%m-%d %H:%M:%f', {0} / 1000000.0, 'unixepoch')"
_NOW = "(julianday('now') - 2440587.5) * 86400000000"

_FIRST = f"""
CREATE TABLE job (
    place INTEGER PRIMARY KEY,  -- the order of the pushes
    id BLOB NOT NULL UNIQUE,  -- a UUID
    queue TEXT NOT NULL,
    lane INTEGER NOT NULL,  -- -priority: can be popped; {SCHEDULED}: rests until it is due; {LEASED}: is leased
    at INTEGER NOT NULL,  -- when it came due, or when its rest is over; times are microseconds since 1970
    due INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    runner BLOB,  -- the holder, a UUID
    deliveries INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0,
    max_retries INTEGER NOT NULL,  -- -1: no limit
    heartbeat INTEGER NOT NULL,  -- microseconds
    backoff TEXT NOT NULL,  -- JSON; empty: {BACKOFF}
    name TEXT NOT NULL,
    error TEXT,
    args BLOB NOT NULL  -- JSON
) STRICT;

CREATE INDEX turn ON job (queue, lane, at);

CREATE INDEX lapsed ON job (queue) WHERE runner IS NOT NULL AND lane <> {LEASED};

CREATE VIEW jobs AS SELECT
    {_UUID.format("hex(id)")} AS id,
    queue,
    name,
    CASE
        WHEN lane = {LEASED} AND at > {_NOW} THEN 'running'
        WHEN runner IS NOT NULL THEN 'lost'
        WHEN lane = {SCHEDULED} AND at > {_NOW} THEN 'scheduled'
        ELSE 'ready'
    END AS state,
    priority,
    {_TIME.format("due")} AS next_queue,
    CASE WHEN lane = {LEASED} THEN {_TIME.format("at")} END AS leased_until,
    CASE WHEN runner IS NOT NULL THEN {_UUID.format("hex(runner)")} END AS runner_id,
    deliveries AS delivery_count,
    losses AS lost_count,
    retries AS retry_count,
    nullif(max_retries, -1) AS max_retries,
    iif(backoff = '', '{BACKOFF}', backoff) AS backoff,
    heartbeat / 1000000.0 AS heartbeat_interval,
    error AS last_error,
    CAST(args AS TEXT) AS args
FROM job;

CREATE VIEW queues AS SELECT
    queue,
    count(*) AS jobs,
    sum(state = 'ready') AS ready,
    sum(state = 'scheduled') AS scheduled,
    sum(state = 'running') AS running,
    sum(state = 'lost') AS lost
FROM jobs GROUP BY queue;
"""

MIGRATIONS = (_FIRST,)
VERSION = len(MIGRATIONS)


def script() -> str:
    """The SQL that makes the schema, in a new file."""
    marks = f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {VERSION};\n"
    return "\n".join((f"{ROOM};\n", *(migration.lstrip() for migration in MIGRATIONS), marks))


def check_sqlite() -> None:
    """Refuse a library that is too old, before it fails in words that nobody understands."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StorageUnavailable(f"it needs SQLite {oldest} or later, and this Python has {sqlite3.sqlite_version}")


def version_of(connection: sqlite3.Connection, path: str) -> int:
    """Which version of the schema is there, 0 for none; an error where it cannot be used."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (version or application or tables):
        raise StorageUnavailable(f"{path} holds something else: it is the database of another program")
    if version > VERSION:
        raise StorageUnavailable(
            f"{path} has version {version} of the schema, and this jobcore knows {VERSION} at most: use a newer one"
        )
    return int(version)


def upgrade(connection: sqlite3.Connection, path: str) -> None:
    """Bring the schema to this version; inside a transaction, so that it is there as a whole or not at all."""
    for script in MIGRATIONS[version_of(connection, path) :]:
        for statement in _statements(script):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _statements(script: str) -> Iterator[str]:
    # One at a time, with a blank line between two: `executescript` would commit what goes before.
    yield from filter(str.strip, re.split(r";\n\s*\n", script.strip().removesuffix(";") + "\n"))
