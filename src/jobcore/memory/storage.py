"""`MemoryStorage`: the storage inside one process.

It is a façade: the index below it orders the jobs and holds the leases (`_index.pyx`), `MemoryCalls` carries the verbs
there and back (`_calls.pyx`), `_waiting.py` wakes whoever waits. What is left here is policy: what becomes of a job
that is handed back, and how waiting, breathing and closing go.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from jobcore._time import later
from jobcore.errors import LeaseLost
from jobcore.jobs import Completion, JobInfo, JobResult, NewJobInfo, ReturnJobInfo
from jobcore.jobs._checks import check_all, check_queue, check_uuid
from jobcore.jobs._job import retried
from jobcore.memory._breath import Breaths
from jobcore.memory._selected import JobIndex, MemoryCalls
from jobcore.memory._waiting import Waitlists
from jobcore.stats import QueueStats, StorageStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from jobcore.storage import Clock, Timer

_logger = logging.getLogger("jobcore")

T = TypeVar("T")


class MemoryStorage(MemoryCalls):
    """Jobs in this process: a `BatchStorage` for any number of tasks, event loops and threads.

    `timer` races waiting pops against a clock of its own, in place of the event loop's; `clock` tells the time, in
    place of the module `time`. Both are for tests.

    Every verb has a plain form (`push_nowait`, `pop_nowait`, ...) that never waits, for any thread. `len(storage)` is
    the number of jobs, waiting and running. Closing drops them.
    """

    def __init__(self, *, timer: Timer | None = None, clock: Clock = time) -> None:
        self._index = JobIndex()
        self._waiting = Waitlists(self.until_next, timer)
        self._breaths = Breaths()
        super().__init__(self._index, clock, self._waiting.by_queue)
        _open_storages.add(self)

    async def push_many(self, jobs: Iterable[NewJobInfo]) -> list[UUID]:
        """Push all of these jobs, or none of them; the ids in their order."""
        batch = check_all("job", jobs, NewJobInfo)
        self.check_open()
        added: list[UUID] = []
        ids: list[UUID] = []
        try:
            for job in batch:
                known = job.id is not None and job.id in self._index
                ids.append(self.push_nowait(job))
                if not known:
                    added.append(ids[-1])
        except MemoryError:
            for job_id in added:
                with suppress(KeyError):  # somebody has completed it already
                    self._index.remove(job_id)
            raise
        return ids

    async def pop_many(self, queue: str, runner_id: UUID, limit: int) -> list[JobInfo]:
        """Wait for a first job and take up to `limit` of those that are due."""
        if _now() >= self.breathe_at:
            await self._take_breath()
        jobs = self.pop_many_nowait(queue, runner_id, limit)
        return jobs or await self._wait_for(queue, lambda: self.pop_many_nowait(queue, runner_id, limit))

    async def heartbeat_many(self, held: Iterable[JobInfo], runner_id: UUID) -> list[UUID]:
        """Renew the leases of these deliveries; the ids of those that this runner no longer holds."""
        batch = check_all("held", held, JobInfo)
        check_uuid("runner_id", runner_id)
        self.check_open()
        lost: list[UUID] = []
        for job in batch:
            try:
                self.heartbeat_nowait(job.id, runner_id, job.delivery_count)
            except LeaseLost:
                lost.append(job.id)
        return lost

    async def complete_many(self, returned: Iterable[ReturnJobInfo]) -> list[Completion]:
        """Complete each of these, on its own and in order."""
        batch = check_all("returned", returned, ReturnJobInfo)
        self.check_open()
        return [self._completed(back) for back in batch]

    def stats(self) -> StorageStats:
        """Gauges as of now, counters since the storage was made; linear in the number of queues that hold jobs."""
        self.check_open()
        by_queue = {queue: QueueStats(*gauges) for queue, gauges in self._index.queues().items()}
        return StorageStats(
            queues=len(by_queue),
            jobs=len(self._index),
            running=self._index.running,
            by_queue=by_queue,
            **self._index.counters(),
        )

    def __len__(self) -> int:
        self.check_open()
        return len(self._index)

    def __bool__(self) -> bool:
        return True

    async def aclose(self) -> None:
        """Refuse every call from now on, wake every waiter with `StorageClosed`, drop the jobs. May be called twice."""
        if self.shut("it was closed"):
            self._waiting.wake_all()

    async def __aenter__(self) -> Self:
        self.check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # What MemoryCalls asks for.

    def _changed(self, queue: str) -> None:
        self._waiting.changed(queue)

    async def _wait(self, queue: str, runner_id: UUID) -> JobInfo:
        return await self._wait_for(queue, lambda: self.pop_nowait(queue, runner_id))

    async def _breathe(self, queue: str, runner_id: UUID) -> JobInfo:
        await self._take_breath()
        return self.pop_nowait(queue, runner_id) or await self._wait(queue, runner_id)

    async def _take_breath(self) -> None:
        if self._breaths.take(_now()):
            await asyncio.sleep(0)
        self.breathe_at: int = self._breaths.next_at

    def _put_back(self, returned: ReturnJobInfo) -> bool:
        """Complete what neither succeeded nor is dead; whether the job was removed."""
        job = self.info_nowait(returned.id)
        if job is None:
            return self._missing(returned)
        try:
            if returned.result is JobResult.FAILURE:
                removed = self._failed(job, returned)
            else:
                removed = self._released(job, returned)
        except KeyError:  # somebody removed it this very moment
            return self._missing(returned)
        if not removed:
            self._changed(job.queue)
        return removed

    def _failed(self, job: JobInfo, returned: ReturnJobInfo) -> bool:
        retry = retried(job, self.now(), returned.delay_microseconds, returned.error)
        if retry is None:
            self._index.remove(job.id, returned.runner_id, returned.delivery)
            self._index.count("dead")
            return True
        self._index.put_back(job.id, retry, retry.due, returned.runner_id, returned.delivery)
        self._index.count("failed")
        return False

    def _released(self, job: JobInfo, returned: ReturnJobInfo) -> bool:
        delay = returned.delay_microseconds
        if delay is None:
            self._index.release(job.id, returned.runner_id, returned.delivery)
        else:
            due = later(self.now(), delay)
            self._index.put_back(job.id, job, due, returned.runner_id, returned.delivery)
        self._index.count("returned")
        return False

    def _missing(self, returned: ReturnJobInfo) -> bool:
        self._index.count("missing")
        _logger.warning("job %s was completed (%s), but is not there", returned.id, returned.result.value)
        return True

    def _completed(self, returned: ReturnJobInfo) -> Completion:
        try:
            return Completion.REMOVED if self.complete_nowait(returned) else Completion.PUT_BACK
        except LeaseLost:
            return Completion.LEASE_LOST

    async def _wait_for(self, queue: str, take: Callable[[], T | None]) -> T:
        """Wait until `take` finds something."""
        queue = check_queue(queue)
        waitlist, waiter = self._waiting.join(queue)
        try:
            while True:
                found = take()
                if found:
                    return found
                await waitlist.wait(waiter)
        finally:
            if waitlist.leave(waiter):
                self._waiting.drop(queue, waitlist)


def _now() -> int:
    return time.monotonic_ns() // 1000


_open_storages: weakref.WeakSet[MemoryStorage] = weakref.WeakSet()


def _refuse_after_fork() -> None:
    # The child has a copy of the jobs; running them there too would run them twice.
    for storage in _open_storages:
        storage.refuse("it was opened before the fork; open one in this process")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_refuse_after_fork)
