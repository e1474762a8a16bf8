"""Fencing: the holder, and nobody else, until the job is popped again, put back or removed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobcore.errors import LeaseLost
from jobcore.jobs import JobResult, Linear, ReturnJobInfo
from jobcore.testing._conformance._base import (
    ALICE,
    BOB,
    LEASE,
    MICROSECOND,
    NOBODY,
    Conformance,
    Stage,
    scenario,
)


class Fencing(Conformance):
    """Whose heartbeat renews and whose complete counts."""

    @scenario
    async def test_another_runner_is_refused(self, stage: Stage) -> None:
        job = await stage.popped()

        await stage.refused_to(job, BOB)
        await stage.refused_to(job, BOB, job.delivery_count)
        assert await stage.complete(job, JobResult.SUCCESS)

    @scenario
    async def test_a_refused_heartbeat_does_not_renew(self, stage: Stage) -> None:
        job = await stage.popped("mine")
        await stage.advance(LEASE)
        await stage.refused_to(job, BOB)
        await stage.refused_to(job, ALICE, job.delivery_count + 1)
        await stage.advance(MICROSECOND)

        assert ["mine"] == await stage.poppable()

    @scenario
    async def test_the_holder_stays_the_holder_after_its_lease_ran_out(self, stage: Stage) -> None:
        for result, gone in ((JobResult.SUCCESS, True), (JobResult.FAILURE, False), (JobResult.UNEXECUTED, False)):
            job = await stage.popped("mine", backoff=Linear(1000))
            await stage.advance(100 * LEASE)
            await stage.beat(job)
            assert [] == await stage.poppable()

            await stage.advance(100 * LEASE)
            assert gone is await stage.complete(job, result)
            await stage.discard(job)

    @scenario
    async def test_the_former_holder_is_refused_when_somebody_else_has_the_job(self, stage: Stage) -> None:
        first = await stage.popped()
        await stage.advance(LEASE + MICROSECOND)
        second = await stage.pop(BOB)

        await stage.refused_to(second, ALICE)
        await stage.refused_to(second, ALICE, first.delivery_count)
        await stage.refused_to(second, ALICE, second.delivery_count)
        assert await stage.complete(second, JobResult.SUCCESS, BOB)

    @scenario
    async def test_another_delivery_of_the_same_runner_is_refused(self, stage: Stage) -> None:
        first = await stage.popped()
        await stage.advance(LEASE + MICROSECOND)
        second = await stage.pop()

        await stage.refused_to(second, ALICE, first.delivery_count)
        await stage.refused_to(second, ALICE, second.delivery_count + 1)
        await stage.refused_to(second, ALICE, 0)
        await stage.beat(second)
        assert await stage.complete(second, JobResult.SUCCESS)

    @scenario
    async def test_without_a_delivery_the_runner_alone_counts(self, stage: Stage) -> None:
        await stage.popped()
        await stage.advance(LEASE + MICROSECOND)
        second = await stage.pop()

        await stage.soon(stage.storage.heartbeat(second.id, ALICE))
        assert await stage.soon(stage.storage.complete(ReturnJobInfo(second.id, JobResult.SUCCESS, ALICE)))

    @scenario
    async def test_a_job_that_was_never_popped_is_held_by_nobody(self, stage: Stage) -> None:
        for next_queue in (None, timedelta(seconds=10)):
            job = await stage.known(await stage.push(next_queue=next_queue))
            await stage.refused_to(job, ALICE)
            await stage.refused_to(job, ALICE, 0)
            await stage.refused_to(job, ALICE, 1)

    @scenario
    async def test_a_job_that_was_put_back_is_held_by_nobody(self, stage: Stage) -> None:
        for result in (JobResult.UNEXECUTED, JobResult.UNREGISTERED, JobResult.FAILURE):
            job = await stage.popped("back")
            assert not await stage.complete(job, result)

            await stage.refused_to(job, ALICE)
            await stage.refused_to(job, ALICE, job.delivery_count)
            await stage.discard(job)

    @scenario
    async def test_complete_of_an_unknown_id_is_true(self, stage: Stage) -> None:
        for result in JobResult:
            assert await stage.soon(stage.storage.complete(ReturnJobInfo(NOBODY, result)))
            assert await stage.soon(stage.storage.complete(ReturnJobInfo(NOBODY, result, ALICE, 1)))
        assert await stage.forgotten(NOBODY)

    @scenario
    async def test_complete_may_be_repeated_when_the_job_is_gone(self, stage: Stage) -> None:
        job = await stage.popped()

        assert await stage.complete(job, JobResult.SUCCESS)
        assert await stage.complete(job, JobResult.SUCCESS)
        assert await stage.complete(job, JobResult.FAILURE)
        assert await stage.forgotten(job.id)

    @scenario
    async def test_heartbeat_of_an_unknown_id_is_refused(self, stage: Stage) -> None:
        job = await stage.popped()
        await stage.complete(job, JobResult.SUCCESS)

        for job_id in (NOBODY, job.id):
            with pytest.raises(LeaseLost) as caught:
                await stage.soon(stage.storage.heartbeat(job_id, ALICE))
            assert job_id == caught.value.job_id

    @scenario
    async def test_without_a_runner_complete_acts_on_the_id_alone(self, stage: Stage) -> None:
        job = await stage.popped()
        assert not await stage.soon(stage.storage.complete(job.unexecuted()))
        await stage.refused_to(job, ALICE)

        job = await stage.pop(BOB)
        assert await stage.complete(job, JobResult.SUCCESS, None)
        assert await stage.forgotten(job.id)

    @scenario
    async def test_without_a_runner_complete_acts_on_a_waiting_job_too(self, stage: Stage) -> None:
        job_id = await stage.push("waiting", backoff=Linear(1))
        assert not await stage.soon(stage.storage.complete(ReturnJobInfo(job_id, JobResult.UNEXECUTED)))
        assert 0 == (await stage.known(job_id)).retry_count

        assert not await stage.soon(stage.storage.complete(ReturnJobInfo(job_id, JobResult.FAILURE, error="no")))
        known = await stage.known(job_id)
        assert (1, 0, "no") == (known.retry_count, known.delivery_count, known.last_error)
        assert [] == await stage.poppable()

        assert await stage.soon(stage.storage.complete(ReturnJobInfo(job_id, JobResult.SUCCESS)))
        assert await stage.forgotten(job_id)

    @scenario
    async def test_without_a_runner_the_delivery_does_not_count(self, stage: Stage) -> None:
        first = await stage.popped()
        await stage.advance(LEASE + MICROSECOND)
        await stage.pop(BOB)

        assert await stage.complete(first, JobResult.SUCCESS, None)
        assert await stage.forgotten(first.id)
