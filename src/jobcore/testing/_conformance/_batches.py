"""Batches: `push_many` and `pop_many` keep every promise of `push` and `pop`, for many jobs in one call."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from jobcore.jobs import JobInfo, JobResult, NewJobInfo
from jobcore.testing._conformance._base import ALICE, BOB, LEASE, MICROSECOND, Conformance, Stage, scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = UUID("0a000000-0000-4000-8000-000000000000")


def names(jobs: list[JobInfo]) -> list[str]:
    """The names of these jobs."""
    return [job.name for job in jobs]


class Batches(Conformance):
    """Many in, many out; these tests are skipped where a storage takes no batches."""

    async def _pop_many(self, stage: Stage, limit: int, runner: UUID = ALICE) -> list[JobInfo]:
        return await stage.soon(stage.batches.pop_many(stage.queue, runner, limit))

    @scenario
    async def test_a_batch_keeps_its_order(self, stage: Stage) -> None:
        expected = [f"{number:03}" for number in range(100)]
        await stage.push("before")
        ids = await stage.soon(stage.batches.push_many([stage.new(name) for name in expected]))
        await stage.push("after")

        assert expected == [(await stage.known(job_id)).name for job_id in ids]
        assert sorted(ids) == ids
        assert ["before", *expected, "after"] == await stage.poppable()

    @scenario
    async def test_a_batch_is_due_at_the_time_of_its_push_however_large_it_is(self, stage: Stage) -> None:
        for number in (1, 1_000):
            await stage.advance(1.5)
            pushed = stage.clock.now()
            ids = await stage.soon(stage.batches.push_many([stage.new() for _ in range(number)]))
            await stage.advance(1)

            assert {pushed} == {(await stage.known(job_id)).next_queue for job_id in (ids[0], ids[-1])}

    @scenario
    async def test_a_batch_is_any_iterable(self, stage: Stage) -> None:
        ids = await stage.soon(stage.batches.push_many(stage.new(name) for name in "ab"))
        assert 2 == len(ids)
        assert [] == await stage.soon(stage.batches.push_many([]))
        assert ["a", "b"] == await stage.poppable()

    @scenario
    async def test_a_batch_may_go_to_many_queues(self, stage: Stage) -> None:
        await stage.soon(stage.batches.push_many([stage.new(queue, queue=queue) for queue in ("one", "two", "one")]))

        assert ["one", "one"] == await stage.poppable("one")
        assert ["two"] == await stage.poppable("two")

    @scenario
    async def test_all_or_none_when_one_is_no_job(self, stage: Stage) -> None:
        wrong: Any
        for wrong in (None, "job", {"name": "job"}):
            with pytest.raises((TypeError, ValueError)):
                await stage.soon(stage.batches.push_many([stage.new(id=OWN), wrong, stage.new()]))

            assert await stage.forgotten(OWN)
            assert [] == await stage.poppable()

    @scenario
    async def test_all_or_none_when_the_iterable_fails(self, stage: Stage) -> None:
        def failing() -> Iterator[NewJobInfo]:
            yield stage.new(id=OWN)
            raise LookupError("the source ran dry")

        with pytest.raises(LookupError, match="ran dry"):
            await stage.soon(stage.batches.push_many(failing()))

        assert await stage.forgotten(OWN)
        assert [] == await stage.poppable()

    @scenario
    async def test_known_ids_in_a_batch_change_nothing(self, stage: Stage) -> None:
        await stage.push("first", id=OWN)
        other = UUID(int=7)
        batch = [stage.new("again", id=OWN), stage.new("other", id=other), stage.new("twice", id=other)]

        assert [OWN, other, other] == await stage.soon(stage.batches.push_many(batch))
        assert ["first", "other"] == await stage.poppable()

    @scenario
    async def test_a_batch_serves_as_many_waiters_as_it_has_jobs(self, stage: Stage) -> None:
        stage.batches  # noqa: B018  (skips)
        waiting = [await stage.waiting(runner) for runner in (ALICE, BOB, ALICE)]
        await stage.soon(stage.batches.push_many([stage.new(name) for name in "abc"]))

        assert ["a", "b", "c"] == sorted(names(await stage.soon(asyncio.gather(*waiting))))

    @scenario
    async def test_pop_many_takes_up_to_its_limit_in_order(self, stage: Stage) -> None:
        await stage.push("low", priority=-1)
        for name in ("first", "second", "third"):
            await stage.push(name)
        await stage.push("high", priority=1)
        await stage.push("later", priority=2, next_queue=timedelta(seconds=1))
        await stage.push("other", queue="other")

        assert ["high"] == names(await self._pop_many(stage, 1))
        assert ["first", "second", "third"] == names(await self._pop_many(stage, 3))
        assert ["low"] == names(await self._pop_many(stage, 1000))

    @scenario
    async def test_what_pop_many_takes_is_leased_and_counted(self, stage: Stage) -> None:
        stage.batches  # noqa: B018  (skips)
        for name in ("first", "second"):
            await stage.push(name)
        jobs = await self._pop_many(stage, 2)
        for job in jobs:
            assert (1, 0) == (job.delivery_count, job.lost_count)
            assert job == await stage.known(job.id)
            await stage.beat(job)
        await stage.advance(LEASE)
        assert [] == await stage.poppable()

        await stage.advance(MICROSECOND)
        again = await self._pop_many(stage, 2, BOB)
        assert ["first", "second"] == names(again)
        assert [(2, 1)] * 2 == [(job.delivery_count, job.lost_count) for job in again]
        for job in jobs:
            await stage.refused_to(await stage.known(job.id), ALICE, 1)

    @scenario
    async def test_pop_many_waits_for_the_first_job(self, stage: Stage) -> None:
        waiting = asyncio.create_task(stage.batches.pop_many(stage.queue, ALICE, 10))
        await stage.settle()
        assert not waiting.done()
        await stage.push("job")

        assert ["job"] == names(await stage.soon(waiting))

    @scenario
    async def test_pop_many_wakes_when_a_job_comes_due(self, stage: Stage) -> None:
        for name in ("one", "two"):
            await stage.push(name, next_queue=timedelta(seconds=1))
        waiting = asyncio.create_task(stage.batches.pop_many(stage.queue, ALICE, 10))
        await stage.settle()
        await stage.advance(1 + self.wake_latency)

        assert ["one", "two"] == names(await stage.soon(waiting))

    @scenario
    async def test_what_pop_many_leaves_serves_those_who_wait(self, stage: Stage) -> None:
        many = asyncio.create_task(stage.batches.pop_many(stage.queue, ALICE, 2))
        await stage.settle()
        waiting = await stage.waiting(BOB)
        await stage.soon(stage.batches.push_many([stage.new(name) for name in "abc"]))
        jobs = [*await stage.soon(many), await stage.soon(waiting)]
        jobs += [await stage.pop() for _ in range(3 - len(jobs))]

        assert ["a", "b", "c"] == sorted(names(jobs))

    @scenario
    async def test_a_cancelled_pop_many_takes_nothing(self, stage: Stage) -> None:
        for turns in range(self.cancelled_turns):
            for waits in (True, False):
                new = [stage.new(name) for name in ("one", "two", "three")]
                if not waits:
                    await stage.soon(stage.batches.push_many(new))
                task = asyncio.create_task(stage.batches.pop_many(stage.queue, ALICE, 2))
                if waits:
                    await stage.settle()
                    await stage.batches.push_many(new)
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                [outcome] = await stage.soon(asyncio.gather(task, return_exceptions=True))
                taken = outcome if isinstance(outcome, list) else []
                taken += [await stage.pop() for _ in range(3 - len(taken))]

                assert ["one", "three", "two"] == sorted(names(taken))
                assert {1} == {job.delivery_count for job in taken}
                for job in taken:
                    assert await stage.complete(job, JobResult.SUCCESS)
