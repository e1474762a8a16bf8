"""How far from the floor: one job in flight, in and out again, by what Python has for it.

`asyncio.PriorityQueue` orders items and hands them out, without leases, due times, ids or a second look at anything;
a heap does not even wait; below all is the C++ index alone, which `csrc/bench` measures. The items are made
beforehand; what each round trip needs of its own is made within: the id, the `JobInfo` and the `ReturnJobInfo`.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING, Any

import pytest

from bench.loads import MANY, OPS, QUEUE, RUNNER, Load, drive, new_jobs, power, without_collection
from jobcore import JobResult, NewJobInfo

if TYPE_CHECKING:
    from bench.conftest import Measure

SUCCESS = JobResult.SUCCESS
Item = tuple[int, int, NewJobInfo]


@pytest.fixture(scope="module", params=[0, MANY], ids=lambda size: f"beside-{power(size)}")
def resident(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


@pytest.fixture(scope="module")
def load(resident: int) -> Load:
    return Load(resident, 0)


@pytest.fixture(scope="module")
def heap(resident: int) -> list[Item]:
    """Items with a priority and a number, since jobs have no order of their own."""
    with without_collection():
        return [(1, number, job) for number, job in enumerate(new_jobs(resident))]


@pytest.fixture(scope="module")
def queue(heap: list[Item]) -> asyncio.PriorityQueue[Item]:
    queue: asyncio.PriorityQueue[Item] = asyncio.PriorityQueue()
    with without_collection():
        for item in heap:
            queue.put_nowait(item)
    return queue


@pytest.fixture
def info(resident: int, request: pytest.FixtureRequest) -> dict[str, Any]:
    name = request.function.__doc__
    return {"contestant": name, "waiting": resident, "reference": "await" in name and "PriorityQueue" in name}


def items() -> list[Item]:
    return [(0, number, job) for number, job in enumerate(new_jobs(OPS))]


def jobs() -> list[NewJobInfo]:
    return new_jobs(OPS, priority=1)


@pytest.mark.benchmark(group="floor")
def test_jobcore_awaited(load: Load, info: dict[str, Any], measure: Measure) -> None:
    """jobcore: await push, pop, complete"""
    push, pop, complete = load.storage.push, load.storage.pop, load.storage.complete

    async def unit(jobs: list[NewJobInfo]) -> None:
        for job in jobs:
            await push(job)
            found = await pop(QUEUE, RUNNER)
            await complete(found.returned(SUCCESS, RUNNER))

    measure(lambda jobs: drive(unit(jobs)), jobs, **info)


@pytest.mark.benchmark(group="floor")
def test_jobcore_plain(load: Load, info: dict[str, Any], measure: Measure) -> None:
    """jobcore: push_nowait, pop_nowait, complete_nowait"""
    storage = load.storage
    push, pop, complete = storage.push_nowait, storage.pop_nowait, storage.complete_nowait

    def unit(jobs: list[NewJobInfo]) -> None:
        for job in jobs:
            push(job)
            found = pop(QUEUE, RUNNER)
            assert found is not None
            complete(found.returned(SUCCESS, RUNNER))

    measure(unit, jobs, **info)


@pytest.mark.benchmark(group="floor")
def test_queue_awaited(queue: asyncio.PriorityQueue[Item], info: dict[str, Any], measure: Measure) -> None:
    """asyncio.PriorityQueue: await put, get; task_done"""
    put, get, done = queue.put, queue.get, queue.task_done

    async def unit(items: list[Item]) -> None:
        for item in items:
            await put(item)
            await get()
            done()

    measure(lambda items: drive(unit(items)), items, **info)


@pytest.mark.benchmark(group="floor")
def test_queue_plain(queue: asyncio.PriorityQueue[Item], info: dict[str, Any], measure: Measure) -> None:
    """asyncio.PriorityQueue: put_nowait, get_nowait, task_done"""
    put, get, done = queue.put_nowait, queue.get_nowait, queue.task_done

    def unit(items: list[Item]) -> None:
        for item in items:
            put(item)
            get()
            done()

    measure(unit, items, **info)


@pytest.mark.benchmark(group="floor")
def test_heap(heap: list[Item], info: dict[str, Any], measure: Measure) -> None:
    """heapq: heappush, heappop"""

    def unit(items: list[Item]) -> None:
        for item in items:
            heapq.heappush(heap, item)
            heapq.heappop(heap)

    measure(unit, items, **info)
