"""The contract as the smallest program that keeps it: a dict of jobs, searched at every pop.

No clock, no waiting, no threads: whoever asks says what time it is, in integer microseconds, `wall` since 1970 for due
times and `monotonic` for leases. Slow and obviously right, it is what storages are compared with.

A job is *held* from a pop until the next pop, put-back or removal, also after its lease ran out; a held job whose
lease ran out can be popped like one that waits. Its `place` is its turn among jobs of one priority and due time: a new
one at a push and at a put-back that changes the due time, the old one otherwise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from jobcore._ids import uuid7
from jobcore._time import MICROSECOND, later, to_datetime, to_microseconds
from jobcore.errors import LeaseLost
from jobcore.jobs import JobInfo, JobResult
from jobcore.stats import QueueStats, StorageStats

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore.jobs import NewJobInfo, ReturnJobInfo

REMOVING = {JobResult.SUCCESS: "completed", JobResult.DEAD: "dead"}


@dataclass
class _Job:
    info: JobInfo
    new: NewJobInfo
    place: int
    holder: UUID | None = None
    leased_until: int = 0

    @property
    def due(self) -> int:
        return to_microseconds(self.info.next_queue)

    @property
    def order(self) -> tuple[int, int, int]:
        return (-self.info.priority, self.due, self.place)

    def change(self, due: int | None = None, popped: int = 0, lost: int = 0) -> None:
        info = self.info
        self.info = JobInfo.from_new(
            self.new,
            info.id,
            info.next_queue if due is None else to_datetime(due),
            retry_count=info.retry_count,
            delivery_count=info.delivery_count + popped,
            lost_count=info.lost_count + lost,
            last_error=info.last_error,
        )

    def lease(self, monotonic: int) -> None:
        self.leased_until = monotonic + 5 * (self.new.heartbeat_interval // MICROSECOND)


class ModelStorage:
    """What a storage promises, without the waiting."""

    def __init__(self) -> None:
        self._jobs: dict[UUID, _Job] = {}
        self._places = count()
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._jobs)

    def info(self, job_id: UUID) -> JobInfo | None:
        """The job as it is now."""
        job = self._jobs.get(job_id)
        return None if job is None else job.info

    def push(self, new: NewJobInfo, wall: int, made_id: UUID | None = None) -> UUID:
        """Put a job in; `made_id` is its id where `new` brings none."""
        job_id = new.id or made_id or uuid7()
        if job_id not in self._jobs:
            info = JobInfo.from_new(new, job_id, to_datetime(new.due_at(wall)))
            self._jobs[job_id] = _Job(info, new, next(self._places))
            self._counts["pushed"] += 1
        return job_id

    def pop(self, queue: str, runner_id: UUID, wall: int, monotonic: int) -> JobInfo | None:
        """Lease the first job that can be popped."""
        poppable = [
            job
            for job in self._jobs.values()
            if job.info.queue == queue and job.due <= wall and (job.holder is None or job.leased_until < monotonic)
        ]
        if not poppable:
            return None
        first = min(poppable, key=lambda job: job.order)
        lost = int(first.holder is not None)
        first.change(popped=1, lost=lost)
        first.holder = runner_id
        first.lease(monotonic)
        self._counts["popped"] += 1
        self._counts["reclaimed"] += lost
        return first.info

    def heartbeat(self, job_id: UUID, runner_id: UUID, delivery: int | None, monotonic: int) -> None:
        """Renew a lease."""
        self._held(job_id, runner_id, delivery).lease(monotonic)

    def complete(self, returned: ReturnJobInfo, wall: int) -> bool:
        """Hand a job back; True when it is not queued again."""
        if returned.id not in self._jobs:
            self._counts["missing"] += 1
            return True
        if returned.runner_id is None:
            job = self._jobs[returned.id]
        else:
            job = self._held(returned.id, returned.runner_id, returned.delivery)
        if returned.result in REMOVING:
            return self._remove(job, REMOVING[returned.result])
        if returned.result is JobResult.FAILURE:
            retry = job.info.prepare_retry(to_datetime(wall), delay=returned.delay, error=returned.error)
            if retry is None:
                return self._remove(job, "dead")
            job.info = retry
            job.place = next(self._places)
            self._counts["failed"] += 1
        else:
            if returned.delay_microseconds is not None:
                job.change(due=later(wall, returned.delay_microseconds))
                job.place = next(self._places)
            self._counts["returned"] += 1
        job.holder = None
        return False

    def next_moments(self, queue: str) -> tuple[list[int], list[int]]:
        """When jobs come due (wall), and the first moments after leases (monotonic), of a queue; past ones too."""
        jobs = [job for job in self._jobs.values() if job.info.queue == queue]
        dues = [job.due for job in jobs if job.holder is None]
        return dues, [job.leased_until + 1 for job in jobs if job.holder is not None]

    def stats(self) -> StorageStats:
        """Gauges as of now, counters since the beginning."""
        jobs = list(self._jobs.values())
        queues = {job.info.queue for job in jobs}
        names = ("pushed", "popped", "reclaimed", "completed", "failed", "dead", "returned", "lost_leases", "missing")
        return StorageStats(
            queues=len(queues),
            jobs=len(jobs),
            running=sum(job.holder is not None for job in jobs),
            **{name: self._counts[name] for name in names},
            by_queue={
                queue: QueueStats(
                    jobs=sum(job.info.queue == queue for job in jobs),
                    running=sum(job.info.queue == queue and job.holder is not None for job in jobs),
                )
                for queue in queues
            },
        )

    def _held(self, job_id: UUID, runner_id: UUID, delivery: int | None) -> _Job:
        job = self._jobs.get(job_id)
        if job is None or job.holder != runner_id or delivery not in (None, job.info.delivery_count):
            self._counts["lost_leases"] += 1
            raise LeaseLost(job_id)
        return job

    def _remove(self, job: _Job, counter: str) -> bool:
        del self._jobs[job.info.id]
        self._counts[counter] += 1
        return True
