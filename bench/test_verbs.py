"""Each operation of `MemoryStorage`, beside 100 to a million waiting jobs and up to 100,000 running ones.

Values that a caller makes anyway (`NewJobInfo`, `ReturnJobInfo`) are made before the clock starts; "one in flight"
makes the latter, since each delivery needs one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench.loads import OPS, QUEUE, RUNNER, RUNNING, WAITING, Load, drive, new_jobs, power
from jobcore import JobInfo, JobResult, NewJobInfo, ReturnJobInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from bench.conftest import Measure

SUCCESS = JobResult.SUCCESS


@pytest.fixture(
    scope="module",
    params=[(waiting, running) for waiting in WAITING for running in RUNNING],
    ids=lambda size: f"{power(size[0])}-waiting-{power(size[1])}-running",
)
def load(request: pytest.FixtureRequest) -> Load:
    return Load(*request.param)


@pytest.fixture
def info(load: Load) -> dict[str, Any]:
    return {
        "waiting": load.waiting,
        "running": load.running,
        "reference": (load.waiting, load.running) == (WAITING[0], 0),
    }


def settled(load: Load, make: Callable[[], list[NewJobInfo]]) -> Callable[[], list[NewJobInfo]]:
    def prepare() -> list[NewJobInfo]:
        load.settle()
        return make()

    return prepare


@pytest.mark.benchmark(group="push")
def test_push(load: Load, info: dict[str, Any], measure: Measure) -> None:
    push = load.storage.push

    async def unit(jobs: list[NewJobInfo]) -> None:
        load.ids.extend([await push(job) for job in jobs])

    measure(lambda jobs: drive(unit(jobs)), settled(load, lambda: new_jobs(OPS)), **info)


@pytest.mark.benchmark(group="pop")
def test_pop(load: Load, info: dict[str, Any], measure: Measure) -> None:
    pop = load.storage.pop

    async def unit() -> list[JobInfo]:
        return [await pop(QUEUE, RUNNER) for _ in range(OPS)]

    def pop_all(_: None) -> None:
        load.taken = drive(unit())

    measure(pop_all, load.settle, **info)


@pytest.mark.benchmark(group="heartbeat")
def test_heartbeat(load: Load, info: dict[str, Any], measure: Measure) -> None:
    heartbeat = load.storage.heartbeat

    def prepare() -> list[tuple[UUID, int]]:
        load.settle()
        return [(job.id, job.delivery_count) for job in load.some_held(OPS)]

    async def unit(held: list[tuple[UUID, int]]) -> None:
        for job_id, delivery in held:
            await heartbeat(job_id, RUNNER, delivery)

    measure(lambda held: drive(unit(held)), prepare, **info)


@pytest.mark.benchmark(group="complete")
def test_complete(load: Load, info: dict[str, Any], measure: Measure) -> None:
    complete = load.storage.complete

    def prepare() -> list[ReturnJobInfo]:
        load.settle()
        returned = [job.returned(SUCCESS, RUNNER) for job in load.take(OPS)]
        load.taken = []
        return returned

    async def unit(returned: list[ReturnJobInfo]) -> None:
        for back in returned:
            await complete(back)

    measure(lambda returned: drive(unit(returned)), prepare, **info)


@pytest.mark.benchmark(group="info")
def test_info(load: Load, info: dict[str, Any], measure: Measure) -> None:
    look_up = load.storage.info

    def prepare() -> list[UUID]:
        load.settle()
        return load.some_ids(OPS)

    async def unit(ids: list[UUID]) -> None:
        for job_id in ids:
            await look_up(job_id)

    measure(lambda ids: drive(unit(ids)), prepare, **info)


@pytest.mark.benchmark(group="push_many")
def test_push_many(load: Load, info: dict[str, Any], measure: Measure) -> None:
    def unit(jobs: list[NewJobInfo]) -> None:
        load.ids.extend(drive(load.storage.push_many(jobs)))

    measure(unit, settled(load, lambda: new_jobs(OPS)), **info)


@pytest.mark.benchmark(group="pop_many")
def test_pop_many(load: Load, info: dict[str, Any], measure: Measure) -> None:
    def unit(_: None) -> None:
        load.taken = drive(load.storage.pop_many(QUEUE, RUNNER, OPS))

    measure(unit, load.settle, **info)


@pytest.mark.benchmark(group="one in flight")
def test_one_in_flight(load: Load, info: dict[str, Any], measure: Measure) -> None:
    push, pop, complete = load.storage.push, load.storage.pop, load.storage.complete

    async def unit(jobs: list[NewJobInfo]) -> None:
        for job in jobs:  # their priority takes them past those that wait
            await push(job)
            found = await pop(QUEUE, RUNNER)
            await complete(found.returned(SUCCESS, RUNNER))

    measure(lambda jobs: drive(unit(jobs)), settled(load, lambda: new_jobs(OPS, priority=1)), **info)
