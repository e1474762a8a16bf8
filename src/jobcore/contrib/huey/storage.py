"""`JobcoreStorage`: what huey asks of a storage, in terms of a `Store`.

huey is synchronous, and takes a task for good when it takes it: there is no lease and no acknowledgement, and what a
killed worker had in its hands is gone, on every storage of huey. So nothing here is leased or retried; what jobcore
brings is its order, waiting without polling, and commits that threads share.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from huey.constants import EmptyData  # pyright: ignore[reportMissingTypeStubs]  (huey has no types)

from jobcore.contrib.huey.memory import MemoryStore
from jobcore.errors import InvalidJob, InvalidURL
from jobcore.jobs._checks import check_queue
from jobcore.opening import sqlite_place

if TYPE_CHECKING:
    from jobcore.contrib.huey.store import Key, Store

    class BaseStorage:
        """huey's, of which a checker knows nothing."""

        def __init__(self, name: str) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
else:
    from huey.storage import BaseStorage

_QUEUE = object()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class JobcoreStorage(BaseStorage):
    """A storage for huey: `Huey(storage_class=JobcoreStorage)`.

    In memory by default, for the threads of this process. `url="sqlite:///jobs.db"` keeps everything in a file, for the
    processes of this machine. There a call returns when its change is durable, against a loss of power as well; with
    `?synchronous=normal`, which is faster, against a killed process only. Threads that call at once share a commit.

    A worker waits up to `read_timeout` seconds for a task, and gets it at once; for so long the end of a consumer may
    be delayed. With `blocking=False` huey polls. Priorities are whole numbers of 16 bits.

    Raises `InvalidURL`, a `ValueError`, for a URL that names neither; its methods raise `StorageUnavailable` when the
    database cannot be used.
    """

    def __init__(
        self, name: str = "huey", url: str = "memory://", *, blocking: bool = True, read_timeout: float = 1.0
    ) -> None:
        super().__init__(check_queue(name))
        self.blocking: bool = blocking
        self.read_timeout: float = read_timeout
        self._store = _open(url, name)

    def close(self) -> bool:
        """Let go of the database until the next call; whether it was open."""
        return self._store.close()

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Put a task into the queue: higher priorities first, None being 0, and in the order of the calls."""
        self._store.push(data, _whole(priority))
        self._store.waiters.ring(_QUEUE)

    def dequeue(self) -> bytes | None:
        """Take the first task for good; wait for one, up to `read_timeout`, if this storage is blocking."""
        data = self._store.pop()
        if data is None and self.blocking:
            data = self._store.waiters.wait(_QUEUE, self._store.pop, self.read_timeout)
        return data

    def queue_size(self) -> int:
        """The number of tasks in the queue."""
        return self._store.queue_size()

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        """The first tasks of the queue, by default all, in their order; they stay there."""
        return self._store.queued(limit)

    def flush_queue(self) -> None:
        """Remove every task from the queue."""
        self._store.clear_queue()

    def add_to_schedule(self, data: bytes, ts: datetime) -> None:
        """Keep a task for this time."""
        self._store.schedule(data, _microseconds(ts))

    def read_schedule(self, ts: datetime) -> list[bytes]:
        """Take the tasks that are due at this time, the soonest first."""
        return self._store.take_due(_microseconds(ts))

    def schedule_size(self) -> int:
        """The number of tasks that are kept for a time."""
        return self._store.schedule_size()

    def scheduled_items(self, limit: int | None = None) -> list[bytes]:
        """The first of these tasks, by default all, the soonest first; they stay there."""
        return self._store.scheduled(limit)

    def flush_schedule(self) -> None:
        """Remove all of them."""
        self._store.clear_schedule()

    def put_data(self, key: Key, value: bytes, is_result: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Keep a value under this key, in place of any other."""
        self._store.put(key, value)
        self._store.waiters.ring(key)

    def peek_data(self, key: Key) -> Any:
        """The value of this key, or `EmptyData`."""
        value = self._store.get(key)
        return EmptyData if value is None else value

    def pop_data(self, key: Key) -> Any:
        """Take the value of this key out; it, or `EmptyData`."""
        value = self._store.take(key)
        return EmptyData if value is None else value

    def delete_data(self, key: Key) -> bool:
        """Remove the value of this key; whether there was one."""
        return self._store.take(key) is not None

    def has_data_for_key(self, key: Key) -> bool:
        """Whether there is a value."""
        return self._store.get(key) is not None

    def wait_result(
        self,
        key: Key,
        timeout: float | None = None,
        backoff: float = 1.15,  # noqa: ARG002
        max_delay: float = 1.0,  # noqa: ARG002
    ) -> bool:
        """Wait for a value of this key, without polling; False after `timeout` seconds."""
        found = self._store.waiters.wait(key, lambda: self._store.get(key), timeout)
        if found is None:
            return False
        self._store.waiters.ring(key)  # it stays there, for others who wait
        return True

    def put_if_empty(self, key: Key, value: bytes, ttl: float | None = None) -> bool:
        """Keep a value under this key, for `ttl` seconds or for good, if there is none; whether there was none."""
        expires = None if ttl is None else time.time_ns() // 1000 + int(ttl * 1e6)
        put = self._store.put_new(key, value, expires)
        if put:
            self._store.waiters.ring(key)
        return put

    def incr(self, key: Key, amount: int = 1) -> int:
        """Add to a counter, which is 0 if it is new; what it is then."""
        return self._store.add(key, amount)

    def delete_counter(self, key: Key) -> None:
        """Forget a counter."""
        self._store.drop_counter(key)

    def result_store_size(self) -> int:
        """The number of values."""
        return len(self._store.values())

    def result_items(self) -> dict[Key, bytes]:
        """All values by their keys."""
        return self._store.values()

    def flush_results(self) -> None:
        """Remove all values."""
        self._store.clear_values()

    def flush_counters(self) -> None:
        """Forget all counters."""
        self._store.clear_counters()


def _open(url: str, name: str) -> Store:
    scheme = urlsplit(url).scheme
    if url == "memory://":
        return MemoryStore()
    if scheme == "sqlite":
        from jobcore.contrib.huey.sqlite import SqliteStore  # noqa: PLC0415  (tasks in memory need no sqlite3)

        return SqliteStore(*sqlite_place(url), name)
    if scheme in {"postgresql", "postgres"}:
        raise InvalidURL(url, "is not for this: huey's own PostgresStorage keeps tasks in PostgreSQL")
    raise InvalidURL(url, "must be memory://, sqlite:///relative.db or sqlite:////absolute/path.db")


def _whole(priority: float | None) -> int:
    if priority is None:
        return 0
    whole = int(priority)
    if whole != priority:
        raise InvalidJob("priority", f"must be a whole number, not {priority}")
    return whole


def _microseconds(ts: datetime) -> int:
    # huey's times are naive, all of them in UTC or all of them local: what counts is their order.
    return ((ts if ts.tzinfo else ts.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
