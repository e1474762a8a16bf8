"""Threads and loops on one storage: every job is handed to one runner, once.

Nothing here depends on time: each test ends when all jobs are done, and the guard only catches what hangs.
"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from jobcore import IMPLEMENTATION, JobResult, LeaseLost, Linear, MemoryStorage, NewJobInfo, StorageClosed

if TYPE_CHECKING:
    from collections.abc import Callable

PUSHERS = 4
LOOPS = 4
RUNNERS_PER_LOOP = 3
JOBS = 20_000 if IMPLEMENTATION == "cpp" else 1_000  # plain Python looks through all of them at every call
GUARD = 60


def in_threads(*targets: Callable[[], None]) -> None:
    """Run these at once, and raise what any of them raised."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(targets))

    def guarded(target: Callable[[], None]) -> None:
        barrier.wait()
        try:
            target()
        except BaseException as failure:  # noqa: BLE001  (raised again below, in the test's own thread)
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(target,), daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + GUARD
    while any(thread.is_alive() for thread in threads) and not failures:
        assert time.monotonic() < deadline
        threads[-1].join(0.05)
        threads.append(threads.pop(0))
    if failures:
        raise failures[0]


def test_four_threads_push_and_four_loops_pop() -> None:
    storage = MemoryStorage()
    done: list[list[UUID]] = [[] for _ in range(LOOPS)]

    def push() -> None:
        for number in range(JOBS // PUSHERS):
            storage.push_nowait(NewJobInfo("job", number, queue=f"queue-{number % 3}"))

    def pop(place: int) -> None:
        async def run(queue: str) -> None:
            runner = uuid4()
            while sum(map(len, done)) < JOBS:
                job = await storage.pop(queue, runner)
                await storage.heartbeat(job.id, runner, job.delivery_count)
                assert await storage.complete(job.returned(JobResult.SUCCESS, runner))
                done[place].append(job.id)
            await storage.aclose()

        async def all_runners() -> None:
            runners = [run(f"queue-{number % 3}") for number in range(RUNNERS_PER_LOOP * 2)]
            await asyncio.gather(*runners, return_exceptions=True)

        asyncio.run(asyncio.wait_for(all_runners(), GUARD))

    in_threads(*[push] * PUSHERS, *[lambda place=place: pop(place) for place in range(LOOPS)])

    ids = [job_id for part in done for job_id in part]
    assert JOBS == len(ids) == len(set(ids))


def test_every_verb_at_once() -> None:
    storage = MemoryStorage()
    ended: list[UUID] = []
    total = JOBS // 5

    def push() -> None:
        for number in range(total // PUSHERS):
            new = NewJobInfo("job", number, max_retries=3, backoff=Linear(0), priority=number % 5)
            storage.push_nowait(new)

    def work(seed: int) -> None:
        runner = uuid4()
        turn = seed
        while len(ended) < total:
            turn += 1
            job = storage.pop_nowait("default", runner)
            if job is None:
                continue
            assert job == storage.info_nowait(job.id)
            storage.heartbeat_nowait(job.id, runner)
            result = (JobResult.SUCCESS, JobResult.FAILURE, JobResult.UNEXECUTED, JobResult.DEAD)[turn % 4]
            if storage.complete_nowait(job.returned(result, runner)):
                ended.append(job.id)
            with pytest.raises(LeaseLost):
                storage.heartbeat_nowait(job.id, UUID(int=0))

    def look() -> None:
        while len(ended) < total:
            stats = storage.stats()
            assert 0 <= stats.running <= stats.jobs + LOOPS
            len(storage)

    in_threads(*[push] * PUSHERS, *[lambda seed=seed: work(seed) for seed in range(LOOPS)], look)

    stats = storage.stats()
    assert total == len(ended) == len(set(ended)) == stats.pushed
    assert total == stats.completed + stats.dead
    assert stats.popped == stats.completed + stats.failed + stats.returned + stats.dead
    assert 0 == stats.jobs == stats.running


def push_until_refused(storage: MemoryStorage, begun: threading.Event) -> None:
    while True:
        storage.push_nowait(NewJobInfo("job"))
        begun.set()


async def pop_until_refused(storage: MemoryStorage) -> None:
    while True:
        await storage.pop("default", uuid4())


def test_a_storage_closed_under_load_refuses_everybody_and_hangs_nobody() -> None:
    for _ in range(20):
        storage = MemoryStorage()
        closing = threading.Event()

        def push(storage: MemoryStorage = storage, closing: threading.Event = closing) -> None:
            with pytest.raises(StorageClosed):
                push_until_refused(storage, closing)

        def pop(storage: MemoryStorage = storage) -> None:
            async def run() -> None:
                with pytest.raises(StorageClosed):
                    await pop_until_refused(storage)

            async def all_runners() -> None:
                await asyncio.gather(*[run() for _ in range(10)])

            asyncio.run(asyncio.wait_for(all_runners(), GUARD))

        def close(storage: MemoryStorage = storage, closing: threading.Event = closing) -> None:
            closing.wait(GUARD)
            asyncio.run(storage.aclose())

        in_threads(push, push, pop, pop, close)


def test_ids_come_in_the_order_of_the_pushes_and_never_twice() -> None:
    storage = MemoryStorage()
    ids: list[list[UUID]] = [[] for _ in range(PUSHERS)]

    def push(place: int) -> None:
        new = NewJobInfo("job", next_queue=timedelta(days=1))
        ids[place].extend(storage.push_nowait(new) for _ in range(JOBS))

    in_threads(*[lambda place=place: push(place) for place in range(PUSHERS)])

    for part in ids:
        assert part == sorted(part)
    assert PUSHERS * JOBS == len({job_id for part in ids for job_id in part}) == len(storage)
