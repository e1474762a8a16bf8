"""Ours against APScheduler's `MemoryJobStore`: whatever is done, in whatever order, both answer the same.

Ids, moments and time zones come from small pools, so that they collide; a microsecond tells moments apart.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

pytest.importorskip("apscheduler.jobstores", reason="APScheduler 3 is not installed")

from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.jobstores.memory import MemoryJobStore

from jobcore.contrib.apscheduler import JobcoreJobStore

if TYPE_CHECKING:
    from collections.abc import Callable

POOL = ["a", "b", "ä", "aa", "b" * 32, "\ud800", " ", "0"]
IDS = st.sampled_from(POOL)
ZONES = [UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9, minutes=-30))]
TIMES = [datetime(2026, 11, 26, tzinfo=UTC) + timedelta(microseconds=step) for step in range(4)]
TIMES += [datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)]
MOMENTS = [moment.astimezone(zone) for moment in TIMES for zone in ZONES]
MAYBE_MOMENTS = st.none() | st.sampled_from(MOMENTS)


class Job:
    """What a store sees of a job."""

    def __init__(self, id: str, next_run_time: datetime | None) -> None:
        self.id = id
        self.next_run_time = next_run_time


class JobStores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ours = JobcoreJobStore()
        self.theirs = MemoryJobStore()

    def both(self, method: str, *args: Any) -> Any:
        """Call it on both: the same answer, or the same refusal."""
        expected = outcome(getattr(self.theirs, method), *args)
        assert expected == outcome(getattr(self.ours, method), *args)
        return expected

    @rule(job_id=IDS, moment=MAYBE_MOMENTS)
    def add(self, job_id: str, moment: datetime | None) -> None:
        self.both("add_job", Job(job_id, moment))

    @rule(moment=MAYBE_MOMENTS)
    def add_the_rest(self, moment: datetime | None) -> None:
        """All ids that are not there, at one moment, so that only their ids tell them apart."""
        for job_id in reversed(POOL):
            self.both("add_job", Job(job_id, moment))

    @rule(job_id=IDS, moment=MAYBE_MOMENTS)
    def replace(self, job_id: str, moment: datetime | None) -> None:
        self.both("update_job", Job(job_id, moment))

    @rule(job_id=IDS, moment=MAYBE_MOMENTS)
    def change_as_the_scheduler_does(self, job_id: str, moment: datetime | None) -> None:
        """The job that the store has, changed and given back."""
        job = self.both("lookup_job", job_id)
        if job is not None:
            job.next_run_time = moment
            self.both("update_job", job)

    @rule(job_id=IDS)
    def remove(self, job_id: str) -> None:
        self.both("remove_job", job_id)

    @rule(method=st.sampled_from(["remove_all_jobs", "shutdown"]))
    def empty(self, method: str) -> None:
        self.both(method)

    @invariant()
    def they_show_the_same(self) -> None:
        self.both("get_next_run_time")
        self.both("get_all_jobs")
        for moment in MOMENTS:
            self.both("get_due_jobs", moment)
        for job_id in POOL:
            self.both("lookup_job", job_id)


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """What a call returns, or how it refuses."""
    try:
        return call(*args)
    except (ConflictingIdError, JobLookupError) as error:
        return repr(error)


TestJobStores = JobStores.TestCase
TestJobStores.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
