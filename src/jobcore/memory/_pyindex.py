"""The index in plain Python, the twin of `_index.pyx`: one dict, searched at every call, small and slow and right.

It is what runs where nothing was compiled, and what the compiled index is compared with.

A job either waits for its due time or is leased until its lease runs out. Whoever popped it last *holds* it until it is
popped again, put back, released or removed, so also after the lease ran out. Its `place` is its turn among the jobs of
one priority and due time: a new one when it is inserted, put back or rekeyed, the old one otherwise.

That a lease has run out is noticed by the next `pop` or `until_next` of its queue. From then on the job waits again, in
its old place and still held; until then `walk` and `next_due`, which are told no time, do not see it.

All happens under one lock, reentrant since the garbage collector may run anything anywhere. A handle that is given up
is dropped after the lock. After a fork that cut short a call of another thread the child must leave its copy alone.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from jobcore.errors import LeaseLost
from jobcore.jobs._checks import MAX_COUNT, check_int, check_queue, check_uuid

LONGEST_LEASE = 2**61
EARLIEST = -(2**63)
LATEST = 2**63 - 1
"""Times have 64 bits; what would be later, or longer, ends there."""

_COUNTERS = ("pushed", "popped", "reclaimed", "completed", "failed", "dead", "returned", "lost_leases", "missing")
_OUTCOMES = ("completed", "failed", "dead", "returned")

Facts = tuple[UUID, Any, int, int, int]
"""A job as it is handed out: id, handle, due, delivery_count, lost_count."""


@dataclass(slots=True)
class _Job:
    id: UUID
    handle: Any
    queue: str
    priority: int
    due: int
    lease: int
    place: int
    delivery_count: int = 0
    lost_count: int = 0
    holder: UUID | None = None
    expiry: int | None = None  # when the lease runs out; None while the job waits

    @property
    def waits(self) -> bool:
        return self.expiry is None

    @property
    def order(self) -> tuple[int, int, int]:
        return (-self.priority, self.due, self.place)

    @property
    def facts(self) -> Facts:
        return (self.id, self.handle, self.due, self.delivery_count, self.lost_count)


class JobIndex:
    """Jobs in order, in queues, under leases, by opaque handles; for adapters to other libraries.

    A job is (id, queue, priority, due, lease) and a handle, any object. Within a queue, the jobs that are due leave by
    higher priority (16 bits), then by earlier `due`, then in the order of their insertion. Due times are microseconds
    since 1970, leases microseconds of a monotonic clock; time is always an argument. Calls are safe from any thread.

    Every call is O(n) here. A call that names a job raises `KeyError` if it is unknown; one that names a runner raises
    `LeaseLost` if that runner, by that delivery, does not hold the job.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._jobs: dict[UUID, _Job] = {}
        self._places = count()
        self._counts: Counter[str] = Counter()

    def insert(
        self,
        job_id: UUID,
        handle: Any,
        *,
        queue: str = "default",
        priority: int = 0,
        due: int = 0,
        lease: int = 25_000_000,
    ) -> bool:
        """Add a job at the end of its order; False, and no change, if the id is there already."""
        priority, due = _priority(priority), _time("due", due)
        job_id = _id("job_id", job_id)
        queue = check_queue(queue)
        lease = check_int("lease", lease, 0, LONGEST_LEASE)
        with self._lock:
            if job_id in self._jobs:
                return False
            self._jobs[job_id] = _Job(job_id, handle, queue, priority, due, lease, next(self._places))
            self._counts["pushed"] += 1
            return True

    def pop(self, queue: str, runner_id: UUID, wall: int, monotonic: int) -> Facts | None:
        """Lease the first job that is due: (id, handle, due, delivery_count, lost_count), or None."""
        wall, monotonic = _time("wall", wall), _time("monotonic", monotonic)
        runner_id = _id("runner_id", runner_id)
        queue = check_queue(queue)
        with self._lock:
            self._end_leases(queue, monotonic)
            due = [job for job in self._waiting(queue) if job.due <= wall]
            if not due:
                return None
            job = due[0]
            if job.holder is not None:
                job.lost_count += 1
                self._counts["reclaimed"] += 1
            job.delivery_count += 1
            self._counts["popped"] += 1
            job.holder = runner_id
            job.expiry = min(monotonic + job.lease, LATEST)
            return job.facts

    def heartbeat(self, job_id: UUID, runner_id: UUID, monotonic: int, delivery: int | None = None) -> None:
        """Renew the lease of the runner that holds the job."""
        monotonic = _time("monotonic", monotonic)
        job_id = _id("job_id", job_id)
        check_uuid("runner_id", runner_id)
        fence = _fence(runner_id, delivery)
        with self._lock:
            if job_id not in self._jobs:
                self._counts["lost_leases"] += 1
            job = self._judged(job_id, fence)
            job.expiry = min(monotonic + job.lease, LATEST)

    def remove(self, job_id: UUID, runner_id: UUID | None = None, delivery: int | None = None) -> Any:
        """Remove a job and return its handle."""
        job_id = _id("job_id", job_id)
        fence = _fence(runner_id, delivery)
        with self._lock:
            job = self._judged(job_id, fence)
            del self._jobs[job_id]
        return job.handle

    def release(self, job_id: UUID, runner_id: UUID | None = None, delivery: int | None = None) -> None:
        """Let nobody hold the job any more; it waits in its old place."""
        job_id = _id("job_id", job_id)
        fence = _fence(runner_id, delivery)
        with self._lock:
            job = self._judged(job_id, fence)
            job.holder = job.expiry = None

    def put_back(
        self, job_id: UUID, handle: Any, due: int, runner_id: UUID | None = None, delivery: int | None = None
    ) -> None:
        """Let nobody hold the job any more; it waits until `due` at the end of its order, under a new handle."""
        due = _time("due", due)
        job_id = _id("job_id", job_id)
        fence = _fence(runner_id, delivery)
        with self._lock:
            job = self._judged(job_id, fence)
            job.holder = job.expiry = None
            job.due = due
            job.place = next(self._places)
            handle, job.handle = job.handle, handle  # the old one lives until we return

    def rekey(self, job_id: UUID, priority: int, due: int) -> bool:
        """Give a waiting job another place; False, and no change, if it is unknown or held."""
        priority, due = _priority(priority), _time("due", due)
        job_id = _id("job_id", job_id)
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job.holder is not None:
                return False
            job.priority = priority
            job.due = due
            job.place = next(self._places)
            return True

    def get(self, job_id: UUID) -> Facts | None:
        """The job as `pop` returns it, waiting or leased, or None."""
        job_id = _id("job_id", job_id)
        with self._lock:
            job = self._jobs.get(job_id)
            return None if job is None else job.facts

    def walk(self, queue: str, limit: int | None = None, wall: int | None = None) -> list[Facts]:
        """The waiting jobs of a queue in their order, higher priorities first, as `pop` returns them.

        At most `limit`, and only those that are due at `wall`; without these, all.
        """
        queue = check_queue(queue)
        if limit is not None:
            limit = check_int("limit", limit, 0, 2**62)
        now = LATEST if wall is None else _time("wall", wall)
        with self._lock:
            return [job.facts for job in self._waiting(queue) if job.due <= now][:limit]

    def next_due(self, queue: str) -> int | None:
        """When the first of the waiting jobs comes due, whatever its priority; None if none waits."""
        queue = check_queue(queue)
        with self._lock:
            return min((job.due for job in self._waiting(queue)), default=None)

    def until_next(self, queue: str, wall: int, monotonic: int) -> int | None:
        """Microseconds until a job of this queue can be popped: 0 for at once, None if nothing is on its way."""
        wall, monotonic = _time("wall", wall), _time("monotonic", monotonic)
        queue = check_queue(queue)
        with self._lock:
            self._end_leases(queue, monotonic)
            waits = [max(0, job.due - wall) for job in self._waiting(queue)]
            # A lease has run out once *more* than its time has passed.
            waits += [job.expiry - monotonic + 1 for job in self._in(queue) if job.expiry is not None]
            return min([*waits, LATEST]) if waits else None

    def queues(self) -> dict[str, tuple[int, int]]:
        """The queues that hold jobs: name -> (jobs, running)."""
        with self._lock:
            jobs = Counter(job.queue for job in self._all())
            running = Counter(job.queue for job in self._all() if job.holder is not None)
            return {queue: (jobs[queue], running[queue]) for queue in jobs}

    @property
    def running(self) -> int:
        """How many jobs somebody holds."""
        with self._lock:
            return sum(job.holder is not None for job in self._all())

    def __len__(self) -> int:
        with self._lock:
            return len(self._jobs)

    def __contains__(self, job_id: UUID) -> bool:
        return self.get(job_id) is not None

    def counters(self) -> dict[str, int]:
        """What was counted since the index was made: name -> number."""
        with self._lock:
            return {name: self._counts[name] for name in _COUNTERS}

    def count(self, outcome: str) -> None:
        """Count one more job that was "completed", "failed", "dead", "returned" or "missing"."""
        with self._lock:
            self._counts[outcome if outcome in _OUTCOMES else "missing"] += 1

    def clear(self) -> None:
        """Remove every job; what was counted stays."""
        with self._lock:
            emptied, self._jobs = self._jobs, {}
        del emptied

    def consistent(self) -> bool:
        """Whether every invariant of the index holds; for tests."""
        with self._lock:
            jobs = self._all()
            return (
                all(job.id == job_id for job_id, job in self._jobs.items())
                and len(jobs) == len({job.place for job in jobs})
                and all(job.waits or job.holder is not None for job in jobs)
                and all(job.delivery_count > 0 for job in jobs if job.holder is not None)
                and all(job.lost_count < max(1, job.delivery_count) for job in jobs)
            )

    # With the lock held.

    def _all(self) -> list[_Job]:
        return list(self._jobs.values())

    def _in(self, queue: str) -> list[_Job]:
        return [job for job in self._all() if job.queue == queue]

    def _waiting(self, queue: str) -> list[_Job]:
        return sorted((job for job in self._in(queue) if job.waits), key=lambda job: job.order)

    def _end_leases(self, queue: str, monotonic: int) -> None:
        for job in self._in(queue):
            if job.expiry is not None and job.expiry < monotonic:
                job.expiry = None

    def _judged(self, job_id: UUID, fence: tuple[UUID | None, int | None]) -> _Job:
        """The job, if whoever calls may act on it; without a runner anybody may, whatever the delivery."""
        job = self._jobs.get(job_id)
        if job is None:
            raise KeyError(job_id)
        runner_id, delivery = fence
        if runner_id is not None and (job.holder != runner_id or delivery not in {None, job.delivery_count}):
            self._counts["lost_leases"] += 1
            raise LeaseLost(job_id)
        return job


def _id(field: str, value: UUID) -> UUID:
    return UUID(int=check_uuid(field, value).int)


def _fence(runner_id: UUID | None, delivery: int | None) -> tuple[UUID | None, int | None]:
    delivery = None if delivery is None else check_int("delivery", delivery, 0, MAX_COUNT)
    return (None if runner_id is None else _id("runner_id", runner_id), delivery)


def _priority(value: int) -> int:
    return check_int("priority", value, -32768, 32767)


def _time(field: str, value: int) -> int:
    return check_int(field, value, EARLIEST, LATEST)
