from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("apscheduler.jobstores", reason="APScheduler 3 is not installed")

from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from jobcore.contrib.apscheduler import JobcoreJobStore

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 26, tzinfo=UTC)
PATIENCE = 30.0
THREADS = 4
NUMBERS = range(300)


class Job:
    """What a store sees of a job."""

    def __init__(self, id: str, next_run_time: datetime | None) -> None:
        self.id = id
        self.next_run_time = next_run_time


def at_once(work: Callable[[int], int]) -> int:
    """What many threads count together, when they begin at one time."""
    gate = threading.Barrier(THREADS)

    def enter(number: int) -> int:
        gate.wait(PATIENCE)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(enter, range(THREADS)))


def test_of_threads_that_add_one_id_one_succeeds_and_so_of_those_that_remove_it() -> None:
    store = JobcoreJobStore()

    def add(thread: int) -> int:
        added = 0
        for number in NUMBERS:
            try:
                store.add_job(Job(f"job {number}", NOW + timedelta(seconds=thread)))
                added += 1
            except ConflictingIdError:
                continue
        return added

    def remove(_: int) -> int:
        removed = 0
        for number in NUMBERS:
            try:
                store.remove_job(f"job {number}")
                removed += 1
            except JobLookupError:
                continue
        return removed

    assert len(NUMBERS) == at_once(add) == len(store.get_all_jobs()) == at_once(remove)
    assert [] == store.get_all_jobs()


def test_a_job_is_found_by_its_id_if_and_only_if_it_is_listed_whatever_threads_do() -> None:
    store = JobcoreJobStore()

    def meddle(thread: int) -> int:
        for number in NUMBERS:
            job = Job(f"job {number % 7}", NOW + timedelta(seconds=number % 5))
            for call in (store.add_job, store.update_job, lambda job: store.remove_job(job.id)):
                try:
                    call(job)
                except (ConflictingIdError, JobLookupError):
                    continue
            store.get_due_jobs(NOW)
            store.get_next_run_time()
            if thread == 0 and number % 100 == 99:
                store.remove_all_jobs()
        return 0

    at_once(meddle)
    listed = {job.id: job for job in store.get_all_jobs()}
    assert [listed.get(f"job {number}") for number in range(7)] == [
        store.lookup_job(f"job {number}") for number in range(7)
    ]


def test_a_job_that_was_removed_or_replaced_is_let_go() -> None:
    store = JobcoreJobStore()
    removed, replaced, cleared = (Job(name, NOW) for name in "abc")
    gone = [weakref.ref(job) for job in (removed, replaced, cleared)]
    for job in (removed, replaced, cleared):
        store.add_job(job)
    store.remove_job("a")
    store.update_job(Job("b", NOW))
    assert replaced is not store.lookup_job("b")
    store.remove_all_jobs()
    del job, removed, replaced, cleared
    gc.collect()
    assert [None] * 3 == [reference() for reference in gone]


def test_moments_a_microsecond_apart_keep_their_order_at_the_end_of_the_calendar() -> None:
    store = JobcoreJobStore()
    last = datetime.max.replace(tzinfo=UTC)
    for job_id, moment in (("b", last), ("a", None), ("c", last - timedelta(microseconds=1))):
        store.add_job(Job(job_id, moment))
    assert ["c", "b", "a"] == [job.id for job in store.get_all_jobs()]
    assert ["c", "b"] == [job.id for job in store.get_due_jobs(last)]


def test_a_moment_without_a_time_zone_is_refused_and_nothing_changes() -> None:
    store = JobcoreJobStore()
    store.add_job(Job("a", NOW))
    for call in (store.add_job, store.update_job):
        with pytest.raises(TypeError):
            call(Job("a", NOW.replace(tzinfo=None)))
    assert [NOW] == [job.next_run_time for job in store.get_all_jobs()]


def test_a_scheduler_runs_its_jobs_from_the_store_and_moves_them_on() -> None:
    store = JobcoreJobStore()
    scheduler = BackgroundScheduler(jobstores={"default": store}, timezone=UTC)
    ran = threading.Semaphore(0)
    scheduler.add_job(ran.release, "interval", seconds=0.01, id="often")
    scheduler.add_job(ran.release, "date", id="once")
    scheduler.start()
    try:
        assert all(ran.acquire(timeout=PATIENCE) for _ in range(4))
        scheduler.pause_job("often")
        assert [("often", None)] == [(job.id, job.next_run_time) for job in store.get_all_jobs()]
        assert store.get_next_run_time() is None
        scheduler.resume_job("often")
        assert scheduler.get_job("often") is store.lookup_job("often")
        assert store.get_next_run_time() is not None
    finally:
        scheduler.shutdown()
    assert [] == store.get_all_jobs()


def test_a_scheduler_makes_the_store_by_its_name() -> None:
    scheduler = BackgroundScheduler({"apscheduler.jobstores.default": {"type": "jobcore"}}, timezone=UTC)
    scheduler.start(paused=True)
    try:
        assert "<JobcoreJobStore>" == repr(scheduler._lookup_jobstore("default"))
    finally:
        scheduler.shutdown()


@pytest.mark.parametrize("missing", ["apscheduler", "apscheduler.jobstores"])
def test_without_its_library_the_module_says_what_to_install(missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; import jobcore.contrib.apscheduler"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "NotInstalled: APScheduler 3 is not installed, and this needs it: pip install 'jobcore[apscheduler]'" in (
        done.stderr
    )
