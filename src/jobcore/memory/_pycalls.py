"""The verbs of MemoryStorage in plain Python, the twin of `_calls.pyx`.

Each verb is there as a plain call (`push_nowait`) and as one to await (`push`). What can be done at once is done here;
what cannot is the storage's: `_changed` (wake whoever waits on a queue), `_wait` (a pop that found nothing), `_breathe`
(a pop that must let its event loop run first), `_put_back` (a completion that is more than a removal), `_missing` (a
completion of an unknown job).

It takes either index and either form of the values, since it uses nothing but what they show.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jobcore._ids import uuid7, uuid_high, uuid_low
from jobcore._time import MICROSECOND
from jobcore.errors import InvalidJobType, LeaseLost, StorageClosed
from jobcore.jobs import JobInfo, JobResult, NewJobInfo, ReturnJobInfo
from jobcore.jobs._checks import MAX_COUNT, check_int, check_queue, check_uuid
from jobcore.jobs._job import stored

if TYPE_CHECKING:
    from collections.abc import Sized
    from uuid import UUID

    from jobcore.memory._pyindex import JobIndex
    from jobcore.storage import Clock

_REMOVING = {JobResult.SUCCESS: "completed", JobResult.DEAD: "dead"}


class MemoryCalls:
    """What `MemoryStorage` inherits its verbs from."""

    breathe_at = 0
    """In microseconds of the monotonic clock; see `_breath.py`."""

    def __init__(self, index: JobIndex, clock: Clock, waitlists: Sized) -> None:
        self._index = index
        self._clock = clock
        self._waitlists = waitlists
        self._refusal: str | None = None

    if TYPE_CHECKING:

        def _changed(self, queue: str) -> None: ...
        async def _wait(self, queue: str, runner_id: UUID) -> JobInfo: ...
        async def _breathe(self, queue: str, runner_id: UUID) -> JobInfo: ...
        def _put_back(self, returned: ReturnJobInfo) -> bool: ...
        def _missing(self, returned: ReturnJobInfo) -> bool: ...

    def _monotonic(self) -> int:
        return self._clock.monotonic_ns() // 1000

    def now(self) -> int:
        """The storage's time, in microseconds since 1970."""
        return self._clock.time_ns() // 1000

    def until_next(self, queue: str) -> float | None:
        """Seconds until a job of this queue can be popped: 0 for at once, None if nothing is on its way."""
        wait = self._index.until_next(queue, self.now(), self._monotonic())
        return None if wait is None else wait / 1e6

    def check_open(self) -> None:
        """Raise `StorageClosed` if it is."""
        if self._refusal is not None:
            raise StorageClosed(self._refusal)

    def shut(self, refusal: str) -> bool:
        """Refuse every call from now on, for this reason, and drop the jobs; False if it refused them before."""
        if not self.refuse(refusal):
            return False
        self._index.clear()
        return True

    def refuse(self, refusal: str) -> bool:
        """Refuse every call from now on, for this reason; False if it refused them before.

        Takes no lock: after a fork, one may belong to a thread that is not there any more.
        """
        if self._refusal is not None:
            return False
        self._refusal = refusal
        return True

    def push_nowait(self, job: NewJobInfo) -> UUID:
        """`push` as a plain call."""
        _check("job", job, NewJobInfo)
        self.check_open()
        job_id = uuid7() if job.id is None else job.id
        added = self._index.insert(
            job_id,
            job,
            queue=job.queue,
            priority=job.priority,
            due=job.due_at(self.now()),
            lease=5 * (job.heartbeat_interval // MICROSECOND),
        )
        if added:
            self._wake(job.queue)
        return job_id

    def _wake(self, queue: str) -> None:
        if len(self._waitlists) > 0:
            self._changed(queue)

    def pop_nowait(self, queue: str, runner_id: UUID) -> JobInfo | None:
        """`pop` as a plain call; None if no job is due."""
        self.check_open()
        found = self._index.pop(queue, runner_id, self.now(), self._monotonic())
        return None if found is None else _describe(*found)

    def pop_many_nowait(self, queue: str, runner_id: UUID, limit: int) -> list[JobInfo]:
        """`pop_many` as a plain call; an empty list if no job is due."""
        limit = check_int("limit", limit, 1, MAX_COUNT)
        self.check_open()
        check_uuid("runner_id", runner_id)
        queue = check_queue(queue)
        wall, monotonic = self.now(), self._monotonic()
        jobs: list[JobInfo] = []
        while len(jobs) < limit and (found := self._index.pop(queue, runner_id, wall, monotonic)) is not None:
            jobs.append(_describe(*found))
        return jobs

    def heartbeat_nowait(self, job_id: UUID, runner_id: UUID, delivery: int | None = None) -> None:
        """`heartbeat` as a plain call."""
        self.check_open()
        try:
            self._index.heartbeat(job_id, runner_id, self._monotonic(), delivery)
        except KeyError:
            raise LeaseLost(job_id) from None

    def complete_nowait(self, returned: ReturnJobInfo) -> bool:
        """`complete` as a plain call."""
        _check("returned", returned, ReturnJobInfo)
        self.check_open()
        if returned.result not in _REMOVING:
            return self._put_back(returned)
        try:
            self._index.remove(returned.id, returned.runner_id, returned.delivery)
        except KeyError:
            return self._missing(returned)
        self._index.count(_REMOVING[returned.result])
        return True

    def info_nowait(self, job_id: UUID) -> JobInfo | None:
        """`info` as a plain call."""
        self.check_open()
        found = self._index.get(job_id)
        return None if found is None else _describe(*found)

    async def push(self, job: NewJobInfo) -> UUID:
        """Put a job into its queue and return its id; if its id is there already, change nothing."""
        return self.push_nowait(job)

    async def pop(self, queue: str, runner_id: UUID) -> JobInfo:
        """Wait for a job of this queue that is due, and lease it to this runner."""
        if time.monotonic_ns() // 1000 >= self.breathe_at:
            return await self._breathe(queue, runner_id)
        job = self.pop_nowait(queue, runner_id)
        return await self._wait(queue, runner_id) if job is None else job

    async def heartbeat(self, job_id: UUID, runner_id: UUID, delivery: int | None = None) -> None:
        """Renew the lease that this runner holds; `LeaseLost` when it does not."""
        self.heartbeat_nowait(job_id, runner_id, delivery)

    async def complete(self, returned: ReturnJobInfo) -> bool:
        """Hand a job back; True when it is not queued again. `LeaseLost` when its runner does not hold it."""
        return self.complete_nowait(returned)

    async def info(self, job_id: UUID) -> JobInfo | None:
        """The job as it is now, or None."""
        return self.info_nowait(job_id)


def _check(field: str, value: object, kind: type[object]) -> None:
    if not isinstance(value, kind):
        raise InvalidJobType(field, f"a {kind.__name__}", value)


def _describe(job_id: UUID, handle: Any, due: int, delivery_count: int, lost_count: int) -> JobInfo:
    return stored(handle, uuid_high(job_id), uuid_low(job_id), due, delivery_count, lost_count)
