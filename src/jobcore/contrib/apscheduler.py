"""A job store for APScheduler 3 that stays fast with many jobs.

APScheduler wants its jobs by (next run time, id), paused ones last. The index keeps the order of time; those that run
at the same moment lie there in the order in which they came, and are put in order of their ids where they are read. So
nothing has to be compared at a change, and `sorted` meets a list that mostly is.

With n jobs, adding, updating and removing one is O(log n), the next run time and looking one up O(1). What is due costs
its own number k, at worst O(k log k), whatever waits besides. (A sorted list moves half of itself at each change.)

A job that is paused waits for the end of time. Its entry lies in a dict by its id and is its handle in the index; both
change under one lock, so whatever threads do, it is in both or in neither. The lock is reentrant, since the garbage
collector may run anything anywhere.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from jobcore._ids import uuid7
from jobcore.errors import NotInstalled
from jobcore.memory import JobIndex

if TYPE_CHECKING:
    import abc
    from uuid import UUID

    # APScheduler says no types: to a checker its base class asks for nothing, and its errors are what they are made of.
    BaseJobStore = abc.ABC
    ConflictingIdError = JobLookupError = KeyError
else:
    try:
        from apscheduler.jobstores.base import BaseJobStore, ConflictingIdError, JobLookupError
    except ModuleNotFoundError as error:  # APScheduler 4 has no job stores
        raise NotInstalled("APScheduler 3", "apscheduler") from error

__all__ = ["JobcoreJobStore"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEVER = 2**63 - 1
_QUEUE = "default"

_Entry: TypeAlias = tuple[int, str, Any, "UUID"]
"""When it is due and its id, in the order that APScheduler wants; the job; its id in the index."""


class JobcoreJobStore(BaseJobStore):
    """Keeps the jobs of a scheduler in memory, as they are: nothing is pickled, nothing outlasts the process.

    Behaves as APScheduler's `MemoryJobStore` and takes its place:

        scheduler = BackgroundScheduler(jobstores={"default": JobcoreJobStore()})

    Calls are safe from any thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._index = JobIndex()
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.RLock()

    def lookup_job(self, job_id: str) -> Any:
        """The job of this id, or None."""
        entry = self._entries.get(job_id)
        return None if entry is None else entry[2]

    def get_due_jobs(self, now: datetime) -> list[Any]:
        """The jobs whose next run time is `now` (aware) or earlier, by (next run time, id)."""
        return self._ordered(_due(now))

    def get_next_run_time(self) -> datetime | None:
        """The earliest next run time of all jobs; None if there is none, or all are paused."""
        first = self._index.walk(_QUEUE, 1)
        return first[0][1][2].next_run_time if first else None

    def get_all_jobs(self) -> list[Any]:
        """All jobs by (next run time, id), paused ones last."""
        return self._ordered(_NEVER)

    def add_job(self, job: Any) -> None:
        """Add a job; raises `ConflictingIdError` if there is one of its id."""
        job_id, due, key = job.id, _due(job.next_run_time), uuid7()
        entry = (due, job_id, job, key)
        with self._lock:
            if job_id in self._entries:
                raise ConflictingIdError(job_id)
            self._index.insert(key, entry, due=due)
            self._entries[job_id] = entry

    def update_job(self, job: Any) -> None:
        """Put this job in the place of the one of its id; raises `JobLookupError` if there is none."""
        job_id, due = job.id, _due(job.next_run_time)
        with self._lock:
            old = self._entries.get(job_id)
            if old is None:
                raise JobLookupError(job_id)
            key = old[3]
            entry = self._entries[job_id] = (due, job_id, job, key)
            self._index.put_back(key, entry, due)

    def remove_job(self, job_id: str) -> None:
        """Remove the job of this id; raises `JobLookupError` if there is none."""
        with self._lock:
            entry = self._entries.pop(job_id, None)
            if entry is None:
                raise JobLookupError(job_id)
            self._index.remove(entry[3])

    def remove_all_jobs(self) -> None:
        """Remove all jobs."""
        with self._lock:
            self._entries.clear()
            self._index.clear()

    def shutdown(self) -> None:
        """Remove all jobs; the store can be used again."""
        self.remove_all_jobs()

    def _ordered(self, wall: int) -> list[Any]:
        entries: list[_Entry] = [facts[1] for facts in self._index.walk(_QUEUE, wall=wall)]
        entries.sort()  # no two have the same id
        return [entry[2] for entry in entries]


def _due(moment: datetime | None) -> int:
    """Microseconds since 1970, exactly."""
    return _NEVER if moment is None else (moment - _EPOCH) // _MICROSECOND
