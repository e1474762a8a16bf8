"""A `Store` in a file of SQLite, which may be that of a `SqliteStorage`: the tables are its own.

A commit costs by the pages that it changes. So a task is one row in one tree, in the order in which it is taken, and
not a job with the indexes that leases and ids need: huey has neither. `place` counts among those of one turn alone, so
it needs no counter, and none of them overtakes another whatever the clock says.

Each change is one statement, or reads before one, so that a transaction can carry those of many threads and one that
fails leaves nothing of itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jobcore.contrib._committing import GroupCommit
from jobcore.contrib._forking import ForkAware
from jobcore.contrib._waiting import Waiters
from jobcore.contrib._watching import Watcher
from jobcore.jobs._checks import check_int
from jobcore.sqlite.database import SHORT_LOG, Database

if TYPE_CHECKING:
    import sqlite3

    from jobcore.contrib.huey.store import Key

TABLES = (
    """CREATE TABLE IF NOT EXISTS huey_task (
    queue TEXT NOT NULL,
    turn INTEGER NOT NULL,  -- the negative of the priority
    place INTEGER NOT NULL,  -- the order of the calls
    data BLOB NOT NULL,
    PRIMARY KEY (queue, turn, place)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS huey_schedule (
    queue TEXT NOT NULL,
    due INTEGER NOT NULL,  -- times are microseconds since 1970
    place INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (queue, due, place)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS huey_value (
    queue TEXT NOT NULL,
    key ANY NOT NULL,
    value BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS huey_counter (
    queue TEXT NOT NULL,
    key ANY NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID""",
)

_PUSH = """
INSERT INTO huey_task SELECT ?1, ?2, 1 + ifnull(max(place), 0), ?3 FROM huey_task WHERE queue = ?1 AND turn = ?2"""
_READY = "SELECT 1 FROM huey_task WHERE queue = ? LIMIT 1"
_POP = """
DELETE FROM huey_task WHERE queue = ?1 AND (turn, place) = (
    SELECT turn, place FROM huey_task WHERE queue = ?1 ORDER BY turn, place LIMIT 1) RETURNING data"""
_QUEUED = "SELECT data FROM huey_task WHERE queue = ? ORDER BY turn, place LIMIT ?"
_QUEUE_SIZE = "SELECT count(*) FROM huey_task WHERE queue = ?"
_CLEAR_QUEUE = "DELETE FROM huey_task WHERE queue = ?"

_SCHEDULE = """
INSERT INTO huey_schedule
SELECT ?1, ?2, 1 + ifnull(max(place), 0), ?3 FROM huey_schedule WHERE queue = ?1 AND due = ?2"""
_DUE = "SELECT data FROM huey_schedule WHERE queue = ? AND due <= ? ORDER BY due, place"
_ANY_DUE = "SELECT 1 FROM huey_schedule WHERE queue = ? AND due <= ? LIMIT 1"
_TAKE_DUE = "DELETE FROM huey_schedule WHERE queue = ? AND due <= ?"
_SCHEDULED = "SELECT data FROM huey_schedule WHERE queue = ? ORDER BY due, place LIMIT ?"
_SCHEDULE_SIZE = "SELECT count(*) FROM huey_schedule WHERE queue = ?"
_CLEAR_SCHEDULE = "DELETE FROM huey_schedule WHERE queue = ?"

_NEVER = 2**63 - 1
_PUT = f"""
INSERT INTO huey_value VALUES (?, ?, ?, {_NEVER})
ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires"""
_PUT_NEW = """
INSERT INTO huey_value VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires WHERE expires <= ?5"""
_GET = "SELECT value FROM huey_value WHERE queue = ? AND key = ? AND expires > ?"
_TAKE = "DELETE FROM huey_value WHERE queue = ? AND key = ? RETURNING value, expires"
_VALUES = "SELECT key, value FROM huey_value WHERE queue = ? AND expires > ?"
_CLEAR_VALUES = "DELETE FROM huey_value WHERE queue = ?"

_ADD = """
INSERT INTO huey_counter VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count RETURNING count"""
_COUNTERS = "SELECT key, count FROM huey_counter WHERE queue = ?"
_DROP_COUNTER = "DELETE FROM huey_counter WHERE queue = ? AND key = ?"
_CLEAR_COUNTERS = "DELETE FROM huey_counter WHERE queue = ?"


class SqliteStore(ForkAware):
    """For the threads of this process, and for other processes of this machine."""

    def __init__(self, path: str, synchronous: str, queue: str) -> None:
        self._path = path
        self._synchronous = synchronous
        self._name = queue
        super().__init__()

    def _begin(self) -> None:
        self._flows = False
        database = Database(self._path, self._synchronous, migrate=True, one_thread=False, log=SHORT_LOG)
        self._group = GroupCommit(database, _make_tables)
        self._watcher = Watcher(self._path + "-wal", self._group.version)
        self.waiters: Waiters = Waiters(lambda: self._watcher.begin(self.waiters))

    def push(self, data: bytes, priority: int) -> None:
        self._write(_PUSH, self._name, -check_int("priority", priority, -32768, 32767), data)

    def pop(self) -> bytes | None:
        # After one task there is likely another; without one, nobody else's lock is waited for.
        if not self._flows and not self._read(_READY, self._name):
            return None
        rows = self._write(_POP, self._name)
        self._flows = bool(rows)
        return rows[0][0] if rows else None

    def queued(self, limit: int | None) -> list[bytes]:
        return [data for (data,) in self._read(_QUEUED, self._name, -1 if limit is None else limit)]

    def queue_size(self) -> int:
        return int(self._read(_QUEUE_SIZE, self._name)[0][0])

    def clear_queue(self) -> None:
        self._write(_CLEAR_QUEUE, self._name)

    def schedule(self, data: bytes, due: int) -> None:
        self._write(_SCHEDULE, self._name, due, data)

    def take_due(self, until: int) -> list[bytes]:
        def act(connection: sqlite3.Connection) -> list[bytes]:
            due = connection.execute(_DUE, (self._name, until)).fetchall()
            connection.execute(_TAKE_DUE, (self._name, until))
            return [data for (data,) in due]

        return self._group.write(act) if self._read(_ANY_DUE, self._name, until) else []

    def scheduled(self, limit: int | None) -> list[bytes]:
        return [data for (data,) in self._read(_SCHEDULED, self._name, -1 if limit is None else limit)]

    def schedule_size(self) -> int:
        return int(self._read(_SCHEDULE_SIZE, self._name)[0][0])

    def clear_schedule(self) -> None:
        self._write(_CLEAR_SCHEDULE, self._name)

    def put(self, key: Key, value: bytes) -> None:
        self._write(_PUT, self._name, key, value)

    def put_new(self, key: Key, value: bytes, expires: int | None) -> bool:
        parameters = (self._name, key, value, _NEVER if expires is None else expires, _now())
        return self._group.write(lambda connection: connection.execute(_PUT_NEW, parameters).rowcount > 0)

    def get(self, key: Key) -> bytes | None:
        return next((value for (value,) in self._read(_GET, self._name, key, _now())), None)

    def take(self, key: Key) -> bytes | None:
        if self.get(key) is None:
            return None
        rows = self._write(_TAKE, self._name, key)
        return next((value for value, expires in rows if expires > _now()), None)

    def values(self) -> dict[Key, bytes]:
        return dict(self._read(_VALUES, self._name, _now()))

    def clear_values(self) -> None:
        self._write(_CLEAR_VALUES, self._name)

    def add(self, key: Key, amount: int) -> int:
        return int(self._write(_ADD, self._name, key, amount)[0][0])

    def counters(self) -> dict[Key, int]:
        return dict(self._read(_COUNTERS, self._name))

    def drop_counter(self, key: Key) -> None:
        self._write(_DROP_COUNTER, self._name, key)

    def clear_counters(self) -> None:
        self._write(_CLEAR_COUNTERS, self._name)

    def close(self) -> bool:
        self._watcher.stop(self.waiters)
        return self._group.close()

    def _read(self, statement: str, *parameters: Any) -> list[Any]:
        return self._group.read(lambda connection: connection.execute(statement, parameters).fetchall())

    def _write(self, statement: str, *parameters: Any) -> list[Any]:
        return self._group.change(statement, parameters)


def _make_tables(connection: sqlite3.Connection) -> None:
    for statement in TABLES:
        connection.execute(statement)


def _now() -> int:
    return time.time_ns() // 1000
