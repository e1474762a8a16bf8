"""APScheduler 3: the tests of its job stores that meet the one in memory, and those of its schedulers, which use it."""

from __future__ import annotations

from apscheduler.jobstores import memory
from apscheduler.schedulers import base

from jobcore.contrib.apscheduler import JobcoreJobStore
from tests.peers.counting import counted
from tests.peers.suite import Suite

SUITE = Suite(
    name="APScheduler: job store, schedulers",
    requirement="apscheduler==3.11.3",
    tests=["tests/test_jobstores.py", "tests/test_schedulers.py"],
    sdist=True,
    # the job stores beside the one in memory want servers, or are not ours to replace
    arguments=["-k", "test_schedulers or memory or memstore or memjob"],
)


@counted
class MemoryJobStore(JobcoreJobStore):
    """Ours by the name of theirs, which a test reads."""


def inject() -> None:
    memory.MemoryJobStore = MemoryJobStore
    base.MemoryJobStore = MemoryJobStore
