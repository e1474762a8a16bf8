"""Completing: what each result does to the job."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from jobcore.jobs import JobResult, Linear
from jobcore.testing._conformance._base import MICROSECOND, Conformance, Stage, scenario

PUTTING_BACK = (JobResult.UNEXECUTED, JobResult.UNREGISTERED, JobResult.FAILURE)


class Completing(Conformance):
    """What becomes of a job that is handed back."""

    @scenario
    async def test_success_and_dead_remove(self, stage: Stage) -> None:
        for result in (JobResult.SUCCESS, JobResult.DEAD):
            job = await stage.popped()

            assert await stage.complete(job, result, delay=timedelta(seconds=1), error="ignored")
            assert await stage.forgotten(job.id)
            assert [] == await stage.poppable()

    @scenario
    async def test_dead_removes_whatever_retries_are_left(self, stage: Stage) -> None:
        job = await stage.popped(max_retries=None)

        assert await stage.complete(job, JobResult.DEAD)
        assert await stage.forgotten(job.id)

    @scenario
    async def test_unexecuted_and_unregistered_put_back_as_it_was(self, stage: Stage) -> None:
        for result in (JobResult.UNEXECUTED, JobResult.UNREGISTERED):
            job = await stage.popped("job", max_retries=0)
            await stage.advance(0.1)

            assert not await stage.complete(job, result)
            assert job == await stage.known(job.id)

            again = await stage.pop()
            assert (0, 2, 0) == (again.retry_count, again.delivery_count, again.lost_count)
            await stage.complete(again, JobResult.SUCCESS)

    @scenario
    async def test_unexecuted_and_unregistered_may_come_back_after_a_delay(self, stage: Stage) -> None:
        for result in (JobResult.UNEXECUTED, JobResult.UNREGISTERED):
            job = await stage.popped("job", max_retries=0)
            await stage.advance(0.1)

            assert not await stage.complete(job, result, delay=timedelta(seconds=7))
            back = await stage.known(job.id)
            assert stage.clock.now() + timedelta(seconds=7) == back.next_queue
            assert (0, 1) == (back.retry_count, back.delivery_count)

            await stage.advance(7 - MICROSECOND)
            assert [] == await stage.poppable()
            await stage.advance(MICROSECOND)
            assert ["job"] == await stage.poppable()
            await stage.discard(back)

    @scenario
    async def test_the_longest_delay_ends_at_the_latest_date(self, stage: Stage) -> None:
        for result in PUTTING_BACK:
            job = await stage.popped()

            assert not await stage.complete(job, result, delay=timedelta.max)
            assert datetime.max.replace(tzinfo=UTC) == (await stage.known(job.id)).next_queue

    @scenario
    async def test_only_a_failure_writes_the_last_error(self, stage: Stage) -> None:
        await stage.push(backoff=Linear(0))
        for result, error, expected in (
            (JobResult.UNEXECUTED, "not this", None),
            (JobResult.FAILURE, "the first", "the first"),
            (JobResult.UNREGISTERED, "nor this", "the first"),
            (JobResult.FAILURE, "the second: NUL \0, ü, \U0001f40d, '", "the second: NUL \\x00, ü, \U0001f40d, '"),
            (JobResult.FAILURE, "", ""),
            (JobResult.FAILURE, None, None),
        ):
            job = await stage.pop()
            assert not await stage.complete(job, result, error=error)
            assert expected == (await stage.known(job.id)).last_error

        assert (await stage.pop()).last_error is None

    @scenario
    async def test_the_last_error_comes_with_the_next_pop(self, stage: Stage) -> None:
        job = await stage.popped(backoff=Linear(0))
        await stage.complete(job, JobResult.FAILURE, error="x" * 100_000)

        assert "x" * 100_000 == (await stage.pop()).last_error

    @scenario
    async def test_info_knows_a_job_at_every_moment_of_a_put_back(self, stage: Stage) -> None:
        for result in PUTTING_BACK:
            job = await stage.popped(backoff=Linear(0))
            completing = asyncio.create_task(stage.complete(job, result))
            while not completing.done():
                await stage.known(job.id)
                await asyncio.sleep(0)

            assert not await completing
            assert await stage.complete(await stage.pop(), JobResult.SUCCESS)
