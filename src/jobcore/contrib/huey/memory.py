"""A `Store` in memory: the index of `MemoryStorage` twice, as queue and as schedule, beside two dicts.

huey takes a task for good when it takes it, so a pop is followed by a removal at once. Between the two the task is
leased to a runner that does not exist, for longer than any process lives.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from uuid import UUID

from jobcore._ids import uuid7
from jobcore.contrib._waiting import Waiters
from jobcore.memory import JobIndex

if TYPE_CHECKING:
    from jobcore.contrib.huey.store import Key

_QUEUE = "huey"
_RUNNER = UUID(int=1)
_LEASE = 2**61


class MemoryStore:
    """For the threads of this process."""

    def __init__(self) -> None:
        self.waiters: Waiters = Waiters()
        self._queue = JobIndex()
        self._schedule = JobIndex()
        self._lock = threading.Lock()  # over what follows
        self._values: dict[Key, bytes] = {}
        self._expiries: dict[Key, int] = {}
        self._counters: dict[Key, int] = {}

    def push(self, data: bytes, priority: int) -> None:
        self._queue.insert(uuid7(), data, queue=_QUEUE, priority=priority, lease=_LEASE)

    def pop(self) -> bytes | None:
        popped = self._queue.pop(_QUEUE, _RUNNER, 0, 0)
        return None if popped is None else self._queue.remove(popped[0])

    def queued(self, limit: int | None) -> list[bytes]:
        return _handles(self._queue, limit)

    def queue_size(self) -> int:
        return len(self._queue)

    def clear_queue(self) -> None:
        self._queue.clear()

    def schedule(self, data: bytes, due: int) -> None:
        self._schedule.insert(uuid7(), data, queue=_QUEUE, due=due, lease=_LEASE)

    def take_due(self, until: int) -> list[bytes]:
        taken: list[bytes] = []
        while (popped := self._schedule.pop(_QUEUE, _RUNNER, until, 0)) is not None:
            taken.append(self._schedule.remove(popped[0]))
        return taken

    def scheduled(self, limit: int | None) -> list[bytes]:
        return _handles(self._schedule, limit)

    def schedule_size(self) -> int:
        return len(self._schedule)

    def clear_schedule(self) -> None:
        self._schedule.clear()

    def put(self, key: Key, value: bytes) -> None:
        with self._lock:
            self._values[key] = value
            self._expiries.pop(key, None)

    def put_new(self, key: Key, value: bytes, expires: int | None) -> bool:
        with self._lock:
            self._expire(key)
            if key in self._values:
                return False
            self._values[key] = value
            if expires is not None:
                self._expiries[key] = expires
            return True

    # huey asks twice for each task whether it was revoked. As a rule nothing is there, and ten workers that waited for
    # the lock to hear so would do a quarter of what one does.

    def get(self, key: Key) -> bytes | None:
        if key not in self._values:
            return None
        with self._lock:
            self._expire(key)
            return self._values.get(key)

    def take(self, key: Key) -> bytes | None:
        if key not in self._values:
            return None
        with self._lock:
            self._expire(key)
            self._expiries.pop(key, None)
            return self._values.pop(key, None)

    def values(self) -> dict[Key, bytes]:
        with self._lock:
            for key in list(self._expiries):
                self._expire(key)
            return self._values.copy()

    def clear_values(self) -> None:
        with self._lock:
            self._values.clear()
            self._expiries.clear()

    def add(self, key: Key, amount: int) -> int:
        with self._lock:
            count = self._counters.get(key, 0) + amount
            self._counters[key] = count
            return count

    def counters(self) -> dict[Key, int]:
        with self._lock:
            return self._counters.copy()

    def drop_counter(self, key: Key) -> None:
        with self._lock:
            self._counters.pop(key, None)

    def clear_counters(self) -> None:
        with self._lock:
            self._counters.clear()

    def close(self) -> bool:
        return False

    def _expire(self, key: Key) -> None:
        if self._expiries and self._expiries.get(key, 2**63) <= time.time_ns() // 1000:
            del self._expiries[key], self._values[key]


def _handles(index: JobIndex, limit: int | None) -> list[bytes]:
    return [handle for _, handle, _, _, _ in index.walk(_QUEUE, limit)]
