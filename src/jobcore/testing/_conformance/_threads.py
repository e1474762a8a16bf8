"""Threads and loops: calls come from any event loop, and a push wakes a pop on every one of them.

These tests run in real time. Nothing in them waits for a lucky moment: whatever the threads do first, the outcome is
the same, and the guard bounds it.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from jobcore.errors import StorageClosed
from jobcore.jobs import JobInfo, JobResult
from jobcore.testing._clock import settle
from jobcore.testing._conformance._base import ALICE, BOB, Conformance, Stage, scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

T = TypeVar("T")


class Threads(Conformance):
    """One storage, many loops."""

    def _elsewhere(self, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Future[T]:
        """Run a coroutine on a loop of its own, in a thread of its own."""

        async def bounded() -> T:
            async with asyncio.timeout(self.guard):
                return await work()

        return asyncio.ensure_future(asyncio.to_thread(asyncio.run, bounded()))

    @scenario
    async def test_a_push_wakes_a_pop_on_another_loop(self, stage: Stage) -> None:
        for _ in range(30):
            elsewhere = self._elsewhere(lambda: stage.storage.pop(stage.queue, BOB))
            await asyncio.sleep(0)
            job_id = await stage.push()

            job = await stage.soon(elsewhere)
            assert job_id == job.id
            assert await stage.complete(job, JobResult.SUCCESS, BOB)

    @scenario
    async def test_a_push_on_another_loop_wakes_a_pop_on_this_one(self, stage: Stage) -> None:
        for _ in range(30):
            waiting = await stage.waiting()
            job_id = await stage.soon(self._elsewhere(lambda: stage.storage.push(stage.new())))

            job = await stage.soon(waiting)
            assert job_id == job.id
            assert await stage.complete(job, JobResult.SUCCESS)

    @scenario
    async def test_every_call_works_on_another_loop(self, stage: Stage) -> None:
        async def work() -> None:
            job = await stage.popped("job", ["argument"], runner=BOB)
            await stage.beat(job, BOB)
            assert job == await stage.known(job.id)
            assert not await stage.complete(job, JobResult.UNEXECUTED, BOB)
            assert await stage.complete(await stage.pop(BOB), JobResult.SUCCESS, BOB)

        await stage.soon(self._elsewhere(work))
        await work()

    @scenario
    async def test_each_job_is_popped_by_one_of_many_loops(self, stage: Stage) -> None:
        jobs, threads = 200, 4

        async def consume() -> list[UUID]:
            taken: list[UUID] = []
            while (job := await stage.storage.pop(stage.queue, BOB)).name != "end":
                taken.append(job.id)
                assert await stage.storage.complete(job.returned(JobResult.SUCCESS, BOB))
            return taken

        async def produce() -> list[UUID]:
            return [await stage.storage.push(stage.new()) for _ in range(jobs // threads)]

        consumers = [self._elsewhere(consume) for _ in range(threads)]
        producers = [self._elsewhere(produce) for _ in range(threads)]
        pushed = [job_id for ids in await stage.soon(asyncio.gather(*producers)) for job_id in ids]
        for _ in consumers:
            await stage.push("end", priority=-1)
        taken = [job_id for ids in await stage.soon(asyncio.gather(*consumers)) for job_id in ids]

        assert sorted(pushed) == sorted(taken)

    @scenario
    async def test_closing_wakes_the_waiters_of_every_loop(self, stage: Stage) -> None:
        storage: Any = stage.storage
        entered = threading.Barrier(3)

        async def wait() -> None:
            task = asyncio.ensure_future(storage.pop(stage.queue, BOB))
            await settle()
            await asyncio.to_thread(entered.wait, self.guard)
            await task

        elsewhere = [self._elsewhere(wait) for _ in range(2)]
        await stage.soon(asyncio.to_thread(entered.wait, self.guard))
        await stage.soon(storage.aclose())

        for task in elsewhere:
            with pytest.raises(StorageClosed):
                await stage.soon(task)

    @scenario
    async def test_a_waiter_whose_loop_is_gone_keeps_nothing_from_the_others(self, stage: Stage) -> None:
        abandoned = await self._abandoned(stage)
        waiting = [await stage.waiting(), await stage.waiting()]
        for name in ("one", "two"):
            await stage.push(name)
        assert {"one", "two"} == {(await stage.soon(task)).name for task in waiting}

        await stage.push("three")
        assert ["three"] == await stage.poppable()
        abandoned.clear()
        gc.collect()

    @scenario
    async def test_a_job_for_which_only_waiters_of_a_gone_loop_are_there_waits_for_the_next(self, stage: Stage) -> None:
        abandoned = await self._abandoned(stage)
        await stage.push("job")
        await stage.settle()

        job = await stage.pop()
        assert ("job", 1, 0) == (job.name, job.delivery_count, job.lost_count)
        abandoned.clear()
        gc.collect()

    async def _abandoned(self, stage: Stage) -> list[asyncio.Task[JobInfo]]:
        """Pops that wait on a loop that is closed."""

        def abandon() -> list[asyncio.Task[JobInfo]]:
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(lambda _loop, _context: None)  # of pending tasks: they are the point
            waiting = [loop.create_task(stage.storage.pop(stage.queue, BOB)) for _ in range(3)]
            loop.run_until_complete(settle())
            loop.close()
            return waiting

        return await stage.soon(asyncio.to_thread(abandon))

    @scenario
    async def test_a_waiter_that_is_collected_with_its_loop_keeps_nothing_from_the_others(self, stage: Stage) -> None:
        def abandon() -> None:
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(lambda _loop, _context: None)
            waiting = loop.create_task(stage.storage.pop(stage.queue, BOB))
            loop.run_until_complete(settle())
            loop.close()
            del waiting, loop
            gc.collect()

        await stage.push("later", next_queue=timedelta(hours=1))  # something to set an alarm for
        await stage.soon(asyncio.to_thread(abandon))
        waiting = await stage.waiting()
        await stage.push("job")

        assert "job" == (await stage.soon(waiting)).name

    @scenario
    async def test_a_runner_that_always_finds_work_does_not_starve_its_loop(self, stage: Stage) -> None:
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1
            asyncio.get_running_loop().call_soon(count)

        await stage.push()
        asyncio.get_running_loop().call_soon(count)
        until = time.monotonic() + 1
        while time.monotonic() < until and turns < 10:
            job = await stage.storage.pop(stage.queue, ALICE)
            await stage.storage.complete(job.returned(JobResult.UNEXECUTED, ALICE))
            stage.clock.skip(0.000_1)

        assert turns >= 10
