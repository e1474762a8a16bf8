"""A `Store` in the file of a `SqliteStorage`.

Tasks are jobs of one queue, as the views of the database and `jobcore stats` show them: those in the queue lie in the
lanes of their priorities, those of the schedule in the lane of rest, until huey takes them from there. Their `at` in
the queue is 0, so that they are in the order of their coming whatever the clock says. The data, which is no JSON, is
kept as one string in base64.

Each change is one statement, or reads before one, so that a transaction can carry those of many threads and one that
fails leaves nothing of itself.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from jobcore._ids import uuid7
from jobcore.contrib.huey.committing import GroupCommit
from jobcore.contrib.huey.waiting import Waiters
from jobcore.contrib.huey.watching import Watcher
from jobcore.sqlite.database import Database
from jobcore.sqlite.schema import SCHEDULED

if TYPE_CHECKING:
    import sqlite3

    from jobcore.contrib.huey.store import Key

TABLES = (
    """CREATE TABLE IF NOT EXISTS huey_value (
    queue TEXT NOT NULL,
    key ANY NOT NULL,
    value BLOB NOT NULL,
    expires INTEGER NOT NULL,  -- microseconds since 1970
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS huey_counter (
    queue TEXT NOT NULL,
    key ANY NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID""",
)

_PUT_JOB = """
INSERT INTO job (id, queue, lane, at, due, priority, max_retries, heartbeat, backoff, name, args)
VALUES (?, ?, ?, ?, ?, ?, 0, 25000000, '', 'huey', ?)"""
_READY = f"SELECT 1 FROM job WHERE queue = ? AND lane < {SCHEDULED} LIMIT 1"
_POP = f"""
DELETE FROM job WHERE place = (
    SELECT place FROM job WHERE queue = ? AND lane < {SCHEDULED} ORDER BY lane, at, place LIMIT 1) RETURNING args"""
_QUEUED = f"SELECT args FROM job WHERE queue = ? AND lane < {SCHEDULED} ORDER BY lane, at, place LIMIT ?"
_QUEUE_SIZE = f"SELECT count(*) FROM job WHERE queue = ? AND lane < {SCHEDULED}"
_CLEAR_QUEUE = f"DELETE FROM job WHERE queue = ? AND lane < {SCHEDULED}"
_DUE = f"SELECT args FROM job WHERE queue = ? AND lane = {SCHEDULED} AND at <= ? ORDER BY at, place"
_TAKE_DUE = f"DELETE FROM job WHERE queue = ? AND lane = {SCHEDULED} AND at <= ?"
_SCHEDULED = f"SELECT args FROM job WHERE queue = ? AND lane = {SCHEDULED} ORDER BY at, place LIMIT ?"
_SCHEDULE_SIZE = f"SELECT count(*) FROM job WHERE queue = ? AND lane = {SCHEDULED}"
_CLEAR_SCHEDULE = f"DELETE FROM job WHERE queue = ? AND lane = {SCHEDULED}"

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


class SqliteStore:
    """For the threads of this process, and for other processes of this machine."""

    def __init__(self, path: str, synchronous: str, queue: str) -> None:
        self._name = queue
        self._group = GroupCommit(Database(path, synchronous, migrate=True), _make_tables)
        self._watcher = Watcher(path + "-wal", self._group.version)
        self.waiters = Waiters(lambda: self._watcher.begin(self.waiters))

    def push(self, data: bytes, priority: int) -> None:
        self._put_job(data, -priority, 0, _now(), priority)

    def pop(self) -> bytes | None:
        if not self._read(_READY, self._name):
            return None
        rows = self._write(_POP, self._name)
        return _data(rows[0]) if rows else None

    def queued(self, limit: int | None) -> list[bytes]:
        return [_data(row) for row in self._read(_QUEUED, self._name, -1 if limit is None else limit)]

    def queue_size(self) -> int:
        return int(self._read(_QUEUE_SIZE, self._name)[0][0])

    def clear_queue(self) -> None:
        self._write(_CLEAR_QUEUE, self._name)

    def schedule(self, data: bytes, due: int) -> None:
        self._put_job(data, SCHEDULED, due, due, 0)

    def take_due(self, until: int) -> list[bytes]:
        def act(connection: sqlite3.Connection) -> list[bytes]:
            due = connection.execute(_DUE, (self._name, until)).fetchall()
            connection.execute(_TAKE_DUE, (self._name, until))
            return [_data(row) for row in due]

        return self._group.write(act) if self._read(_DUE + " LIMIT 1", self._name, until) else []

    def scheduled(self, limit: int | None) -> list[bytes]:
        return [_data(row) for row in self._read(_SCHEDULED, self._name, -1 if limit is None else limit)]

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

    def _put_job(self, data: bytes, lane: int, at: int, due: int, priority: int) -> None:
        self._write(_PUT_JOB, uuid7().bytes, self._name, lane, at, due, priority, b'"' + b64encode(data) + b'"')

    def _read(self, statement: str, *parameters: Any) -> list[Any]:
        return self._group.read(lambda connection: connection.execute(statement, parameters).fetchall())

    def _write(self, statement: str, *parameters: Any) -> list[Any]:
        return self._group.write(lambda connection: connection.execute(statement, parameters).fetchall())


def _make_tables(connection: sqlite3.Connection) -> None:
    for statement in TABLES:
        connection.execute(statement)


def _data(row: tuple[bytes]) -> bytes:
    return b64decode(json.loads(row[0]))


def _now() -> int:
    return time.time_ns() // 1000
