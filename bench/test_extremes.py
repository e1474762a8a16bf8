"""What usually makes a queue stall: a million future jobs in front, a million jobs due at once, a hundred thousand
leases that run out at once. Each is measured by the call that meets it, beside the same call on an ordinary day.

The storage has a clock that is set by hand, so both moments can be met again and again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bench.loads import MANY, OPS, QUEUE, RUNNER, RUNNING, SMOKE, new_jobs, without_collection
from jobcore import JobInfo, JobResult, MemoryStorage, NewJobInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.conftest import Measure

SUCCESS = JobResult.SUCCESS
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
BEFORE = int(NOON.timestamp()) * 10**9 - 10**9
AFTER = BEFORE + 2 * 10**9


class SetClock:
    """A clock that stands where it was set."""

    def __init__(self) -> None:
        self.wall = BEFORE
        self.monotonic = 0

    def time_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.monotonic


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def storage(clock: SetClock) -> Iterator[MemoryStorage]:
    with without_collection():
        yield MemoryStorage(clock=clock)


def one_in_flight(storage: MemoryStorage, jobs: list[NewJobInfo]) -> None:
    for job in jobs:
        storage.push_nowait(job)
        found = storage.pop_nowait(QUEUE, RUNNER)
        assert found is not None
        storage.complete_nowait(found.returned(SUCCESS, RUNNER))


@pytest.mark.benchmark(group="one in flight, future jobs in front")
@pytest.mark.parametrize("future", [0, MANY], ids=["none", "many"])
def test_future_jobs_in_front(storage: MemoryStorage, future: int, measure: Measure) -> None:
    for job in new_jobs(future, priority=1, next_queue=NOON):
        storage.push_nowait(job)
    measure(
        lambda jobs: one_in_flight(storage, jobs),
        lambda: new_jobs(OPS),
        case=f"behind {future:,} future jobs of a higher priority",
        reference=not future,
    )


@pytest.mark.benchmark(group="pop, jobs come due")
@pytest.mark.parametrize("at_once", [False, True], ids=["due-before", "due-now"])
def test_due_at_one_instant(storage: MemoryStorage, clock: SetClock, at_once: bool, measure: Measure) -> None:  # noqa: FBT001
    for job in new_jobs(MANY, next_queue=NOON):
        storage.push_nowait(job)

    taken: list[JobInfo | None] = []

    def prepare() -> None:
        for job in taken:
            assert job is not None
            storage.complete_nowait(job.unexecuted())
        taken.clear()
        if at_once:  # back to the morning: nothing is due
            clock.wall = BEFORE
            assert storage.pop_nowait(QUEUE, RUNNER) is None
        clock.wall = AFTER

    measure(
        lambda _: taken.append(storage.pop_nowait(QUEUE, RUNNER)),
        prepare,
        ops=1,
        rounds=1000,
        case=f"{MANY:,} jobs, " + ("all of which come due at that moment" if at_once else "due before"),
        reference=not at_once,
    )


@pytest.mark.benchmark(group="look, leases run out")
@pytest.mark.parametrize("which", ["lapse", "after"])
def test_leases_lapse_at_one_instant(storage: MemoryStorage, clock: SetClock, which: str, measure: Measure) -> None:
    running = RUNNING[-1]
    clock.wall = AFTER
    for job in new_jobs(running):
        storage.push_nowait(job)
    end = timedelta(days=6) // timedelta(microseconds=1) * 1000

    def prepare() -> None:
        clock.monotonic += end
        assert running == len(storage.pop_many_nowait(QUEUE, RUNNER, running))
        clock.monotonic += end
        if which == "after":
            storage.until_next(QUEUE)

    def look(_: None) -> None:
        storage.until_next(QUEUE)

    case = {
        "lapse": f"the look that finds {running:,} leases run out, for each of them",
        "after": "the look after that, in all",
    }
    measure(
        look,
        prepare,
        ops=running if which == "lapse" else 1,
        rounds=1 if SMOKE else 20,
        case=case[which],
    )
