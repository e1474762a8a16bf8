"""Retrying: how often a failed job comes back, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from jobcore.jobs import Exponential, JobInfo, JobResult, Linear, NewJobInfo
from jobcore.testing._conformance._base import ALICE, MICROSECOND, Conformance, Stage, scenario

LATEST = datetime.max.replace(tzinfo=UTC)


async def fail(stage: Stage, job: JobInfo, **more: Any) -> float:
    """Fail a job; the seconds after which it comes due again."""
    assert not await stage.complete(job, JobResult.FAILURE, **more)
    back = await stage.known(job.id)
    assert job.retry_count + 1 == back.retry_count
    return (back.next_queue - stage.clock.now()).total_seconds()


class Retrying(Conformance):
    """What a FAILURE does."""

    @scenario
    async def test_by_default_five_retries_come_after_2_4_8_16_and_32_seconds(self, stage: Stage) -> None:
        job_id = await stage.soon(stage.storage.push(NewJobInfo("job", queue=stage.queue)))
        for retries, seconds in enumerate((2, 4, 8, 16, 32)):
            job = await stage.pop()
            assert (job_id, retries) == (job.id, job.retry_count)
            await stage.advance(0.5)
            assert seconds == await fail(stage, job)

            await stage.advance(seconds - MICROSECOND)
            assert [] == await stage.poppable()
            await stage.advance(MICROSECOND)

        assert await stage.complete(await stage.pop(), JobResult.FAILURE)
        assert await stage.forgotten(job_id)

    @scenario
    async def test_n_retries_are_n_plus_1_executions(self, stage: Stage) -> None:
        for retries in (0, 1, 3):
            job_id = await stage.push(max_retries=retries, backoff=Linear(0))
            for _ in range(retries):
                assert not await stage.complete(await stage.pop(), JobResult.FAILURE)

            assert await stage.complete(await stage.pop(), JobResult.FAILURE)
            assert await stage.forgotten(job_id)
            assert [] == await stage.poppable()

    @scenario
    async def test_used_up_retries_are_used_up_whatever_delay_is_asked_for(self, stage: Stage) -> None:
        job = await stage.popped(max_retries=0)

        assert await stage.complete(job, JobResult.FAILURE, delay=timedelta(seconds=1))
        assert await stage.forgotten(job.id)

    @scenario
    async def test_without_a_limit_it_always_comes_back(self, stage: Stage) -> None:
        await stage.push(max_retries=None, backoff=Linear(0))
        for retries in range(50):
            job = await stage.pop()
            assert (retries, retries + 1) == (job.retry_count, job.delivery_count)
            assert not await stage.complete(job, JobResult.FAILURE)

    @scenario
    async def test_a_lost_lease_uses_up_no_retry(self, stage: Stage) -> None:
        await stage.push(max_retries=1, backoff=Linear(0))
        for _ in range(3):
            await stage.pop()
            await stage.advance(10)

        assert not await stage.complete(await stage.pop(), JobResult.FAILURE)

    @scenario
    async def test_a_put_back_uses_up_no_retry(self, stage: Stage) -> None:
        await stage.push(max_retries=1, backoff=Linear(0))
        for result in (JobResult.UNEXECUTED, JobResult.UNREGISTERED) * 2:
            assert not await stage.complete(await stage.pop(), result)

        assert not await stage.complete(await stage.pop(), JobResult.FAILURE)

    @scenario
    async def test_linear_rests_the_same_every_time(self, stage: Stage) -> None:
        await stage.push(backoff=Linear(1.25))
        for _ in range(3):
            assert 1.25 == await fail(stage, await stage.pop())
            await stage.advance(1.25)

    @scenario
    async def test_exponential_stops_growing_at_its_cap(self, stage: Stage) -> None:
        await stage.push(backoff=Exponential(10, cap=30))
        for seconds in (10, 30, 30):
            assert seconds == await fail(stage, await stage.pop())
            await stage.advance(seconds)

    @scenario
    async def test_jitter_stays_in_its_bounds(self, stage: Stage) -> None:
        await stage.push(max_retries=None, backoff=Exponential(1, jitter=0.5, cap=1.25))
        for _ in range(20):
            assert 0.5 <= await fail(stage, await stage.pop()) <= 1.25
            await stage.advance(1.25)

    @scenario
    async def test_a_backoff_that_overflows_ends_at_the_latest_date(self, stage: Stage) -> None:
        for backoff in (Exponential(1e300), Linear(1e308), Exponential(1e12)):
            job = await stage.popped(backoff=backoff)
            await fail(stage, job)

            assert LATEST == (await stage.known(job.id)).next_queue
            assert [] == await stage.poppable()

    @scenario
    async def test_a_delay_takes_the_place_of_the_backoff(self, stage: Stage) -> None:
        await stage.push(backoff=Exponential(2), max_retries=2)
        assert 90 == await fail(stage, await stage.pop(), delay=timedelta(seconds=90))
        await stage.advance(90)
        assert 4 == await fail(stage, await stage.pop())
        await stage.advance(4)

        assert await stage.complete(await stage.pop(), JobResult.FAILURE)

    @scenario
    async def test_the_rest_counts_from_the_return_of_the_job(self, stage: Stage) -> None:
        job = await stage.popped("job", backoff=Linear(2))
        returned = job.returned(JobResult.FAILURE, ALICE)
        await stage.advance(30)

        assert not await stage.soon(stage.storage.complete(returned))
        assert stage.clock.now() + timedelta(seconds=2) == (await stage.known(job.id)).next_queue

    @scenario
    async def test_a_failed_job_comes_back_as_prepare_retry_says(self, stage: Stage) -> None:
        options: tuple[dict[str, Any], ...] = ({}, {"error": "why"}, {"delay": timedelta(seconds=0.5), "error": "why"})
        for more in options:
            job = await stage.popped("job", {"a": 1}, priority=3, backoff=Linear(7))
            await stage.advance(0.25)
            await fail(stage, job, **more)

            assert job.prepare_retry(stage.clock.now(), **more) == await stage.known(job.id)
