"""Cancelling: a pop that is cancelled, at whatever stage, takes nothing and keeps nothing from the others.

The stages of a pop are found by trying: it is cancelled after 0, 1, 2, ... turns of the loop (`cancelled_turns`).
Either it comes too late and the pop has its job, or the job is still there, uncounted.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from jobcore.jobs import JobInfo, JobResult
from jobcore.testing._conformance._base import ALICE, BOB, LEASE, MICROSECOND, Conformance, Stage, scenario


async def cancelled(task: asyncio.Task[JobInfo], turns: int) -> JobInfo | None:
    """Cancel after so many turns of the loop; the job that the pop came to have before."""
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None


class Cancelling(Conformance):
    """Pops that are cancelled, time out, or die with their loop."""

    async def _taken_once(self, stage: Stage, job: JobInfo | None, lost: int = 0) -> None:
        """The job was taken once in all: by the pop that was cancelled too late, or else by one that comes now."""
        if job is None:
            job = await stage.pop()
        assert (1 + lost, lost) == (job.delivery_count, job.lost_count)
        await stage.beat(job)
        assert await stage.complete(job, JobResult.SUCCESS)
        assert [] == await stage.poppable()

    @scenario
    async def test_a_cancelled_pop_of_a_job_that_is_there_takes_nothing(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            await stage.push()
            task = asyncio.create_task(stage.storage.pop(stage.queue, ALICE))

            await self._taken_once(stage, await cancelled(task, turns))

    @scenario
    async def test_a_cancelled_pop_that_waited_takes_nothing(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            task = await stage.waiting()
            await stage.storage.push(stage.new())

            await self._taken_once(stage, await cancelled(task, turns))

    @scenario
    async def test_a_pop_that_is_cancelled_before_the_push_takes_nothing(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            task = asyncio.create_task(stage.storage.pop(stage.queue, ALICE))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await stage.storage.push(stage.new())
            with pytest.raises(asyncio.CancelledError):
                await task

            await self._taken_once(stage, None)

    @scenario
    async def test_a_cancelled_pop_of_a_lapsed_job_takes_nothing(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            await stage.popped(runner=BOB)
            stage.clock.skip(LEASE + MICROSECOND)
            task = asyncio.create_task(stage.storage.pop(stage.queue, ALICE))

            await self._taken_once(stage, await cancelled(task, turns), lost=1)

    @scenario
    async def test_a_pop_that_is_cancelled_as_its_job_comes_due_takes_nothing(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            await stage.push(next_queue=timedelta(seconds=1))
            task = await stage.waiting()
            passing = asyncio.create_task(stage.advance(1 + self.wake_latency))
            job = await cancelled(task, turns)
            await passing

            await self._taken_once(stage, job)

    @scenario
    async def test_the_job_of_a_cancelled_waiter_goes_to_the_next_one(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            tasks = [await stage.waiting() for _ in range(3)]
            await stage.storage.push(stage.new("one"))
            taken = await cancelled(tasks[0], turns)
            expected = ["one", "two"] if taken is None else ["one", "three", "two"]
            for name in expected[1:]:
                await stage.push(name)
            jobs = await stage.soon(asyncio.gather(*tasks[1:]))

            assert expected == sorted(job.name for job in (*jobs, taken) if job is not None)

    @scenario
    async def test_many_cancelled_waiters_keep_nothing_from_the_last_one(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            tasks = [await stage.waiting() for _ in range(5)]
            last = await stage.waiting(BOB)
            pushed = [await stage.push(), await stage.push()]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            outcomes = await stage.soon(asyncio.gather(*tasks, return_exceptions=True))
            taken = [outcome.id for outcome in outcomes if isinstance(outcome, JobInfo)]
            if len(taken) < len(pushed):
                taken.append((await stage.soon(last)).id)
            else:
                await stage.cancel(last)
            if len(taken) < len(pushed):
                taken.append((await stage.pop()).id)

            assert sorted(pushed) == sorted(taken)

    @scenario
    async def test_a_cancelled_waiter_leaves_the_alarm_to_the_others(self, stage: Stage) -> None:
        for first_leaves in (True, False):
            await stage.push("scheduled", next_queue=timedelta(seconds=1))
            tasks = [await stage.waiting(), await stage.waiting()]
            leaving, staying = tasks if first_leaves else reversed(tasks)
            await stage.cancel(leaving)
            await stage.advance(1 + self.wake_latency)

            assert await stage.complete(await stage.soon(staying), JobResult.SUCCESS)

    @scenario
    async def test_wait_for_around_a_pop_loses_nothing(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            task = asyncio.create_task(asyncio.wait_for(stage.storage.pop(stage.queue, ALICE), self.guard))
            await stage.settle()
            await stage.storage.push(stage.new())

            await self._taken_once(stage, await cancelled(task, turns))

    @scenario
    async def test_wait_for_that_times_out_takes_nothing(self, stage: Stage) -> None:
        for seconds in (0, 0.000_01, 0.000_1, 0.001):
            await stage.push()
            try:
                job = await asyncio.wait_for(stage.storage.pop(stage.queue, ALICE), seconds)
            except TimeoutError:
                job = None
            await self._taken_once(stage, job)

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stage.storage.pop(stage.queue, ALICE), seconds)
            await stage.push()
            await self._taken_once(stage, None)

    @scenario
    async def test_a_timeout_around_a_pop_takes_nothing(self, stage: Stage) -> None:
        async def pop(scopes: list[asyncio.Timeout]) -> JobInfo | None:
            try:
                async with asyncio.timeout(None) as scope:
                    scopes.append(scope)
                    return await stage.storage.pop(stage.queue, ALICE)
            except TimeoutError:
                return None

        for turns in range(self.cancelled_turns):
            scopes: list[asyncio.Timeout] = []
            task = asyncio.create_task(pop(scopes))
            await stage.settle()
            await stage.storage.push(stage.new())
            for _ in range(turns):
                await asyncio.sleep(0)
            if not task.done():
                scopes[0].reschedule(0)

            await self._taken_once(stage, await stage.soon(task))

    @scenario
    async def test_a_cancelled_pop_ends_as_cancelled(self, stage: Stage) -> None:
        task = await stage.waiting()
        task.cancel("enough")
        done, _ = await stage.soon(asyncio.wait([task]))

        assert {task} == done
        assert task.cancelled()

    @scenario
    async def test_calls_that_are_cancelled_leave_the_storage_usable(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            job = await stage.popped("job", max_retries=None)
            calls: list[Any] = [
                stage.storage.push(stage.new("pushed")),
                stage.storage.info(job.id),
                stage.storage.heartbeat(job.id, ALICE, job.delivery_count),
                stage.storage.complete(job.returned(JobResult.UNEXECUTED, ALICE)),
            ]
            tasks = [asyncio.ensure_future(call) for call in calls]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await stage.soon(asyncio.wait(tasks))

            # Each of them happened or did not; nothing is half done.
            await stage.settle()
            stage.clock.skip(LEASE + MICROSECOND)
            left = await stage.poppable()
            assert ["job"] == [name for name in left if name == "job"]
            stage.clock.skip(LEASE + MICROSECOND)
            for _ in left:
                assert await stage.complete(await stage.pop(), JobResult.SUCCESS)
