"""Our job store for APScheduler beside its own in memory, at growing numbers of jobs.

`python -m bench.contrib.apscheduler` writes a page. Each round times `OPS` calls on the one store and then the same on
the other. The jobs run at random moments of a month, so a change is somewhere in the middle; after each round a store
is as full as before.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from bench.contrib.comparing import Comparison, write_page
from bench.loads import SMOKE, without_collection
from jobcore.contrib.apscheduler import JobcoreJobStore

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (10, 20) if SMOKE else (100, 1_000, 10_000, 100_000)
OPS = 10 if SMOKE else 300
ROUNDS = 2 if SMOKE else 7
DUE = 10
MONTH = 30 * 24 * 3600
BEGIN = datetime(2026, 11, 1, tzinfo=ZoneInfo("Europe/Berlin"))
CHANCE = random.Random(1)

CHANGES = ("add", "update, to another time", "remove", "all three in turn")
NOTE = f"""Before is `MemoryJobStore`. A figure is the time of one call, of which a round makes {OPS}. What the
scheduler offers does more than what it asks of its store."""


def some_time() -> datetime:
    return BEGIN + timedelta(seconds=1 + CHANCE.random() * MONTH)


class Store:
    """A job store with `size` jobs, in a scheduler that does not run them."""

    def __init__(self, store: Any, size: int) -> None:
        self.store = store
        self.scheduler = BackgroundScheduler(jobstores={"default": store}, timezone=UTC)
        self.scheduler.start(paused=True)
        self.jobs = [self.job(moment) for moment in sorted(some_time() for _ in range(size))]
        for job in self.jobs:
            store.add_job(job)
        self.found: dict[str, list[float]] = defaultdict(list)

    def job(self, moment: datetime) -> Any:
        return Job(self.scheduler, next_run_time=moment)

    def new_jobs(self) -> list[Any]:
        return [self.job(some_time()) for _ in range(OPS)]

    def time(self, name: str, calls: list[Callable[[], object]], per: int = 1) -> None:
        """Microseconds of one of these calls, or of `per` of them."""
        with without_collection():
            begin = perf_counter_ns()
            for call in calls:
                call()
            self.found[name].append((perf_counter_ns() - begin) / 1000 / len(calls) * per)

    def round(self) -> None:
        self.change()
        self.change_in_turn()
        self.read()
        self.schedule()

    def change(self) -> None:
        store, jobs = self.store, self.new_jobs()
        self.time("add", [partial(store.add_job, job) for job in jobs])
        for job in jobs:
            job.next_run_time = some_time()
        self.time("update, to another time", [partial(store.update_job, job) for job in jobs])
        self.time("update, the time as it was", [partial(store.update_job, job) for job in jobs])
        CHANCE.shuffle(jobs)
        self.time("remove", [partial(store.remove_job, job.id) for job in jobs])
        late = [self.job(BEGIN + timedelta(seconds=2 * MONTH + place)) for place in range(OPS)]
        self.time("add, later than all others", [partial(store.add_job, job) for job in late])
        for job in reversed(late):
            store.remove_job(job.id)

    def change_in_turn(self) -> None:
        store, old, new = self.store, self.new_jobs(), self.new_jobs()
        for job in old:
            store.add_job(job)
        calls: list[Callable[[], object]] = []
        for added, removed in zip(new, old, strict=True):
            moved = CHANCE.choice(self.jobs)
            moved.next_run_time = some_time()
            calls += [partial(store.add_job, added), partial(store.update_job, moved)]
            calls += [partial(store.remove_job, removed.id)]
        self.time("all three in turn", calls, per=3)
        for job in new:
            store.remove_job(job.id)

    def read(self) -> None:
        store, some = self.store, CHANCE.choices(self.jobs, k=OPS)
        self.time("look up", [partial(store.lookup_job, job.id) for job in some])
        self.time("next run time", [store.get_next_run_time] * OPS)
        self.time("all jobs", [store.get_all_jobs] * 2)
        due = CHANCE.sample(self.jobs, DUE)
        for job in due:
            job.next_run_time = BEGIN
            store.update_job(job)
        self.time(f"the {DUE} that are due", [partial(store.get_due_jobs, BEGIN)] * OPS)
        for job in due:
            job.next_run_time = some_time()
            store.update_job(job)

    def schedule(self) -> None:
        scheduler, ids = self.scheduler, [f"job {place}" for place in range(OPS)]
        add = partial(scheduler.add_job, print, "date")
        self.time("`scheduler.add_job`", [partial(add, run_date=some_time(), id=id) for id in ids])
        self.time(
            "`scheduler.reschedule_job`", [partial(scheduler.reschedule_job, id, run_date=some_time()) for id in ids]
        )
        self.time("`scheduler.remove_job`", [partial(scheduler.remove_job, id) for id in ids])


def main() -> None:
    found = []
    for size in SIZES:
        both = theirs, ours = Store(MemoryJobStore(), size), Store(JobcoreJobStore(), size)
        for _ in range(ROUNDS):
            for store in both:
                store.round()
        for store in both:
            store.scheduler.shutdown()
        found += [
            Comparison(
                f"{name}, at {size:,} jobs",
                "µs",
                more_is_better=False,
                theirs=theirs.found[name],
                ours=ours.found[name],
            )
            for name in (theirs.found if size == SIZES[-1] else CHANGES)
        ]
    write_page("apscheduler", "APScheduler on jobcore", ["apscheduler"], found, NOTE)


if __name__ == "__main__":
    main()
