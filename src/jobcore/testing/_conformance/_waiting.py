"""Waiting: no job that could be popped lies there while anyone waits on its queue."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from jobcore.jobs import JobInfo, JobResult, Linear
from jobcore.testing._conformance._base import ALICE, BOB, CAROL, LEASE, MICROSECOND, Conformance, Stage, scenario


class Waiting(Conformance):
    """What wakes a pop that waits, and that no wake-up is lost."""

    async def _served(self, stage: Stage, *waiting: asyncio.Task[JobInfo]) -> list[str]:
        """The names of the jobs with which these pops return, sorted; the jobs are done then."""
        jobs = await stage.soon(asyncio.gather(*waiting))
        for job in jobs:
            await stage.discard(job)
        return sorted(job.name for job in jobs)

    @scenario
    async def test_a_push_wakes(self, stage: Stage) -> None:
        waiting = await stage.waiting()
        job_id = await stage.push()

        job = await stage.soon(waiting)
        assert (job_id, 1) == (job.id, job.delivery_count)
        await stage.beat(job)

    @scenario
    async def test_a_push_into_another_queue_does_not_serve(self, stage: Stage) -> None:
        waiting = await stage.waiting()
        await stage.push("other", queue="other")
        await stage.settle()
        assert not waiting.done()

        await stage.push("this")
        assert ["this"] == await self._served(stage, waiting)
        assert ["other"] == await stage.poppable("other")

    @scenario
    async def test_each_waiter_is_served(self, stage: Stage) -> None:
        waiting = [await stage.waiting(runner) for runner in (ALICE, BOB, CAROL) * 5]
        names = [f"{number:02}" for number in range(15)]
        for name in names:
            await stage.push(name)

        assert names == await self._served(stage, *waiting)

    @scenario
    async def test_waiters_of_many_queues_are_each_served(self, stage: Stage) -> None:
        queues = [f"queue {number}" for number in range(10)]
        waiting = [await stage.waiting(queue=queue) for queue in queues]
        for queue in reversed(queues):
            await stage.push(queue, queue=queue)

        assert queues == [(await stage.soon(task)).name for task in waiting]

    @scenario
    async def test_two_pushes_before_the_first_waiter_runs_serve_two(self, stage: Stage) -> None:
        waiting = [await stage.waiting(ALICE), await stage.waiting(BOB)]
        await asyncio.gather(stage.push("one"), stage.push("two"))
        assert ["one", "two"] == await self._served(stage, *waiting)

        waiting = [await stage.waiting(ALICE), await stage.waiting(BOB)]
        await stage.storage.push(stage.new("one"))
        await stage.storage.push(stage.new("two"))
        assert ["one", "two"] == await self._served(stage, *waiting)

    @scenario
    async def test_a_waiter_whose_job_was_taken_by_another_pop_is_served_by_the_next_push(self, stage: Stage) -> None:
        async def push_and_pop() -> JobInfo:
            await stage.storage.push(stage.new("one"))
            return await stage.storage.pop(stage.queue, BOB)

        waiting = await stage.waiting(ALICE)
        hasty = asyncio.create_task(push_and_pop())
        await stage.settle()
        await stage.push("two")

        assert ["one", "two"] == await self._served(stage, waiting, hasty)

    @scenario
    async def test_a_waiter_whose_due_job_was_taken_by_another_pop_is_served_by_the_next(self, stage: Stage) -> None:
        for seconds in (1, 2):
            await stage.push("scheduled", next_queue=timedelta(seconds=seconds))
        waiting = await stage.waiting(ALICE)
        stage.clock.skip(1)
        # A storage may serve those who wait in their order; then the other pop is the one that goes on waiting.
        both = {waiting, asyncio.create_task(stage.storage.pop(stage.queue, BOB))}
        done, left = await stage.soon(asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED))
        assert ["scheduled"] == await self._served(stage, *done)
        await stage.advance(1 + self.wake_latency)

        assert ["scheduled"] == await self._served(stage, *left)

    @scenario
    async def test_a_put_back_wakes(self, stage: Stage) -> None:
        for result in (JobResult.UNEXECUTED, JobResult.UNREGISTERED, JobResult.FAILURE):
            job = await stage.popped(backoff=Linear(0))
            waiting = await stage.waiting(BOB)
            await stage.complete(job, result)

            again = await stage.soon(waiting)
            assert (job.id, 2) == (again.id, again.delivery_count)
            await stage.complete(again, JobResult.SUCCESS, BOB)

    @scenario
    async def test_the_next_due_time_wakes(self, stage: Stage) -> None:
        waiting = await stage.waiting()
        await stage.push("scheduled", next_queue=timedelta(seconds=2))
        await stage.advance(2 - MICROSECOND)
        assert not waiting.done()

        await stage.advance(MICROSECOND + self.wake_latency)
        assert ["scheduled"] == await self._served(stage, waiting)

    @scenario
    async def test_a_job_that_was_scheduled_before_the_wait_wakes(self, stage: Stage) -> None:
        await stage.push("scheduled", next_queue=timedelta(seconds=2))
        waiting = await stage.waiting()
        await stage.advance(2 + self.wake_latency)

        assert ["scheduled"] == await self._served(stage, waiting)

    @scenario
    async def test_an_earlier_job_moves_the_alarm_forward(self, stage: Stage) -> None:
        await stage.push("late", next_queue=timedelta(seconds=4))
        waiting = await stage.waiting()
        await stage.push("early", next_queue=timedelta(seconds=1))
        await stage.advance(1 + self.wake_latency)

        assert ["early"] == await self._served(stage, waiting)

    @scenario
    async def test_a_due_job_of_low_priority_wakes_while_a_high_one_rests(self, stage: Stage) -> None:
        waiting = await stage.waiting()
        await stage.push("high, late", priority=10, next_queue=timedelta(seconds=4))
        await stage.push("low, early", priority=-10, next_queue=timedelta(seconds=1))
        await stage.advance(1 + self.wake_latency)

        assert ["low, early"] == await self._served(stage, waiting)

    @scenario
    async def test_the_end_of_a_rest_wakes(self, stage: Stage) -> None:
        for result, delay in (
            (JobResult.FAILURE, None),
            (JobResult.UNEXECUTED, timedelta(seconds=1)),
            (JobResult.UNREGISTERED, timedelta(seconds=1)),
        ):
            job = await stage.popped(backoff=Linear(1))
            waiting = await stage.waiting(BOB)
            await stage.complete(job, result, delay=delay)
            await stage.settle()
            assert not waiting.done()

            await stage.advance(1 + self.wake_latency)
            again = await stage.soon(waiting)
            assert job.id == again.id
            await stage.complete(again, JobResult.SUCCESS, BOB)

    @scenario
    async def test_a_lease_that_runs_out_wakes(self, stage: Stage) -> None:
        job = await stage.popped()
        waiting = await stage.waiting(BOB)
        await stage.advance(LEASE)
        assert not waiting.done()

        await stage.advance(MICROSECOND + self.wake_latency)
        again = await stage.soon(waiting)
        assert (job.id, 2, 1) == (again.id, again.delivery_count, again.lost_count)

    @scenario
    async def test_a_lease_that_is_taken_and_runs_out_during_the_wait_wakes(self, stage: Stage) -> None:
        waiting = [await stage.waiting(ALICE), await stage.waiting(BOB)]
        await stage.push("job")
        await stage.settle()
        assert [False, True] == sorted(task.done() for task in waiting)

        await stage.advance(LEASE + MICROSECOND + self.wake_latency)
        assert ["job", "job"] == await self._served(stage, *waiting)

    @scenario
    async def test_a_heartbeat_puts_the_end_of_a_lease_off_for_those_who_wait(self, stage: Stage) -> None:
        job = await stage.popped("mine")
        waiting = await stage.waiting(BOB)
        for _ in range(3):
            await stage.advance(LEASE)
            await stage.beat(job)
        await stage.advance(LEASE)
        assert not waiting.done()

        await stage.advance(MICROSECOND + self.wake_latency)
        assert ["mine"] == await self._served(stage, waiting)

    @scenario
    async def test_many_that_come_due_together_serve_many(self, stage: Stage) -> None:
        names = [str(number) for number in range(5)]
        for name in names:
            await stage.push(name, next_queue=timedelta(seconds=1))
        waiting = [await stage.waiting(runner) for runner in (ALICE, BOB, CAROL, ALICE, BOB)]
        await stage.advance(1 + self.wake_latency)

        assert names == await self._served(stage, *waiting)

    @scenario
    async def test_a_due_job_and_a_push_at_one_moment_serve_two(self, stage: Stage) -> None:
        # The waiter that was woken for the scheduled job takes the urgent one: somebody must take the other.
        for pushed_before_the_alarm in (True, False):
            await stage.push("scheduled", next_queue=timedelta(seconds=1))
            waiting = [await stage.waiting(ALICE), await stage.waiting(BOB)]
            if pushed_before_the_alarm:
                stage.clock.skip(1)
                await stage.storage.push(stage.new("urgent", priority=1))
                await stage.advance(self.wake_latency)
            else:
                await asyncio.gather(stage.advance(1 + self.wake_latency), stage.push("urgent", priority=1))

            assert ["scheduled", "urgent"] == await self._served(stage, *waiting)

    @scenario
    async def test_a_lapsed_lease_and_a_push_at_one_moment_serve_two(self, stage: Stage) -> None:
        await stage.popped("lapsed")
        waiting = [await stage.waiting(ALICE), await stage.waiting(BOB)]
        stage.clock.skip(LEASE + MICROSECOND)
        await stage.storage.push(stage.new("urgent", priority=1))
        await stage.advance(self.wake_latency)

        assert ["lapsed", "urgent"] == await self._served(stage, *waiting)

    @scenario
    async def test_a_job_that_came_due_unnoticed_is_served_with_the_next_push(self, stage: Stage) -> None:
        for count in (1, 3):
            for number in range(count):
                await stage.push(f"scheduled {number}", next_queue=timedelta(seconds=1))
            waiting = [await stage.waiting(ALICE) for _ in range(count + 1)]
            stage.clock.skip(2)
            await stage.push("pushed")
            await stage.advance(self.wake_latency)

            expected = ["pushed", *(f"scheduled {number}" for number in range(count))]
            assert expected == await self._served(stage, *waiting)

    @scenario
    async def test_a_waiter_gets_the_best_of_what_is_there(self, stage: Stage) -> None:
        waiting = await stage.waiting()
        await asyncio.gather(stage.push("plain"), stage.push("urgent", priority=1))
        first = await stage.soon(waiting)
        second = await stage.pop()

        assert ["plain", "urgent"] == sorted([first.name, second.name])

    @scenario
    async def test_an_idle_storage_sets_no_timer(self, stage: Stage) -> None:
        if self.polls_while_idle:
            return
        waiting = [await stage.waiting(queue=queue) for queue in ("one", "one", "other")]
        assert 0 == stage.clock.timers

        job_id = await stage.push(queue="one", next_queue=timedelta(hours=1))
        await stage.discard(await stage.known(job_id))
        await stage.advance(11)
        assert 0 == stage.clock.timers
        await stage.cancel(*waiting)

    @scenario
    async def test_a_storage_that_nobody_waits_on_sets_no_timer(self, stage: Stage) -> None:
        await stage.push(next_queue=timedelta(seconds=1))
        await stage.popped("running", queue="other")
        waiting = await stage.waiting()
        await stage.cancel(waiting)
        await stage.advance(11)

        assert 0 == stage.clock.timers
