"""A whole storage in a page: the model, a lock, and waiters who are all woken by every change.

It is slow, as each change wakes everybody, and for the same reason it is hard to get wrong. The suite is tried on it,
and whoever writes a storage of their own can start from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from itertools import repeat
from typing import TYPE_CHECKING, Self, TypeVar

from jobcore.errors import InvalidJobType, LeaseLost, StorageClosed
from jobcore.jobs import Completion, JobInfo, NewJobInfo, ReturnJobInfo
from jobcore.jobs._checks import check_int, check_queue, check_uuid
from jobcore.testing import FakeClock, ModelStorage, StorageConformance

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from jobcore.stats import StorageStats

T = TypeVar("T")

LONGEST_SLEEP = 10.0


def check(expected: type[T], value: object) -> T:
    if not isinstance(value, expected):
        raise InvalidJobType("argument", f"a {expected.__name__}", value)
    return value


class ReferenceStorage:
    """A `BatchStorage` on a `FakeClock`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._model = ModelStorage()
        self._lock = threading.RLock()
        self._waiters: set[asyncio.Future[None]] = set()
        self._process: int | None = os.getpid()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __len__(self) -> int:
        return len(self._model)

    async def aclose(self) -> None:
        with self._lock:
            self._process = None
            self._wake_everybody()

    def stats(self) -> StorageStats:
        with self._lock:
            return self._model.stats()

    async def info(self, job_id: UUID) -> JobInfo | None:
        with self._opened():
            return self._model.info(check_uuid("job_id", job_id))

    async def push(self, job: NewJobInfo) -> UUID:
        return (await self.push_many([job]))[0]

    async def push_many(self, jobs: Iterable[NewJobInfo]) -> list[UUID]:
        new = [check(NewJobInfo, job) for job in jobs]
        with self._opened():
            ids = [self._model.push(job, self._wall()) for job in new]
            self._wake_everybody()
            return ids

    async def pop(self, queue: str, runner_id: UUID) -> JobInfo:
        return (await self.pop_many(queue, runner_id, 1))[0]

    async def pop_many(self, queue: str, runner_id: UUID, limit: int) -> list[JobInfo]:
        check_queue(queue)
        check_uuid("runner_id", runner_id)
        check_int("limit", limit, 1, 2**31)
        self._opened()
        await asyncio.sleep(0)  # a runner that always finds work leaves its loop a turn
        while True:
            with self._opened():
                jobs = [job for job in map(self._pop_one, repeat(queue, limit), repeat(runner_id)) if job is not None]
                if jobs:
                    return jobs
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                seconds = self._seconds_to_next(queue)
            try:
                with contextlib.suppress(TimeoutError):
                    await (waiter if seconds is None else self._clock.timeout(seconds, waiter))
            finally:
                with self._lock:
                    self._waiters.discard(waiter)

    async def heartbeat(self, job_id: UUID, runner_id: UUID, delivery: int | None = None) -> None:
        check_uuid("job_id", job_id)
        check_uuid("runner_id", runner_id)
        if delivery is not None:
            check_int("delivery", delivery, 0, 2**31)
        with self._opened():
            self._model.heartbeat(job_id, runner_id, delivery, self._monotonic())

    async def heartbeat_many(self, held: Iterable[JobInfo], runner_id: UUID) -> list[UUID]:
        check_uuid("runner_id", runner_id)
        jobs = [check(JobInfo, job) for job in held]
        lost = []
        with self._opened():
            for job in jobs:
                try:
                    self._model.heartbeat(job.id, runner_id, job.delivery_count, self._monotonic())
                except LeaseLost:
                    lost.append(job.id)
        return lost

    async def complete(self, returned: ReturnJobInfo) -> bool:
        check(ReturnJobInfo, returned)
        with self._opened():
            gone = self._model.complete(returned, self._wall())
            self._wake_everybody()
            return gone

    async def complete_many(self, returned: Iterable[ReturnJobInfo]) -> list[Completion]:
        batch = [check(ReturnJobInfo, one) for one in returned]
        completions = []
        with self._opened():
            for one in batch:
                try:
                    gone = self._model.complete(one, self._wall())
                    completions.append(Completion.REMOVED if gone else Completion.PUT_BACK)
                except LeaseLost:
                    completions.append(Completion.LEASE_LOST)
            self._wake_everybody()
        return completions

    def _opened(self) -> threading.RLock:
        if self._process != os.getpid():
            raise StorageClosed
        return self._lock

    def _pop_one(self, queue: str, runner_id: UUID) -> JobInfo | None:
        return self._model.pop(queue, runner_id, self._wall(), self._monotonic())

    def _wake_everybody(self) -> None:
        for waiter in self._waiters:
            with contextlib.suppress(RuntimeError):  # its loop may be closed
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)
        self._waiters.clear()

    def _seconds_to_next(self, queue: str) -> float | None:
        dues, leases = self._model.next_moments(queue)
        waits = [due - self._wall() for due in dues] + [lease - self._monotonic() for lease in leases]
        return min(max(0, min(waits)) / 1e6, LONGEST_SLEEP) if waits else None

    def _wall(self) -> int:
        return self._clock.time_ns() // 1000

    def _monotonic(self) -> int:
        return self._clock.monotonic_ns() // 1000


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class TestReferenceStorage(StorageConformance):
    def open_storage(self, clock: FakeClock) -> ReferenceStorage:
        return ReferenceStorage(clock)
