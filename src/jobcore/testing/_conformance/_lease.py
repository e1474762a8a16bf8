"""Lease: five heartbeat intervals from the pop or the last heartbeat; then somebody else gets the job."""

from __future__ import annotations

from datetime import timedelta

from jobcore.jobs import JobResult, Linear
from jobcore.testing._conformance._base import (
    ALICE,
    BOB,
    HEARTBEAT,
    LEASE,
    MICROSECOND,
    Conformance,
    Stage,
    scenario,
)


class Lease(Conformance):
    """How long a popped job is kept from the others, and how it comes back."""

    @scenario
    async def test_a_popped_job_is_kept_from_everybody(self, stage: Stage) -> None:
        await stage.popped("mine")

        assert [] == await stage.poppable()

    @scenario
    async def test_a_lease_holds_at_exactly_five_intervals_and_not_a_microsecond_longer(self, stage: Stage) -> None:
        for interval in (0.001, HEARTBEAT, 86400.0):
            job = await stage.popped("mine", heartbeat_interval=timedelta(seconds=interval))
            await stage.advance(5 * interval)
            assert [] == await stage.poppable()

            await stage.advance(MICROSECOND)
            again = await stage.pop(BOB)
            assert job.id == again.id
            await stage.complete(again, JobResult.SUCCESS, BOB)

    @scenario
    async def test_each_heartbeat_renews_the_whole_lease(self, stage: Stage) -> None:
        job = await stage.popped("mine")
        for _ in range(5):
            await stage.advance(LEASE)
            await stage.beat(job)
        await stage.advance(LEASE)
        assert [] == await stage.poppable()

        await stage.advance(MICROSECOND)
        assert ["mine"] == await stage.poppable()

    @scenario
    async def test_a_heartbeat_without_a_delivery_renews_too(self, stage: Stage) -> None:
        job = await stage.popped("mine")
        await stage.advance(LEASE)
        await stage.soon(stage.storage.heartbeat(job.id, ALICE))
        await stage.advance(LEASE)

        assert [] == await stage.poppable()

    @scenario
    async def test_a_heartbeat_changes_nothing_but_the_lease(self, stage: Stage) -> None:
        job = await stage.popped()
        await stage.advance(HEARTBEAT)
        await stage.beat(job)

        assert job == await stage.known(job.id)

    @scenario
    async def test_a_lost_lease_is_counted_at_the_next_pop(self, stage: Stage) -> None:
        first = await stage.popped("mine")
        assert (0, 1, 0) == (first.retry_count, first.delivery_count, first.lost_count)

        await stage.advance(LEASE + MICROSECOND)
        assert first == await stage.known(first.id)

        second = await stage.pop(BOB)
        assert (0, 2, 1) == (second.retry_count, second.delivery_count, second.lost_count)
        assert first.next_queue == second.next_queue
        assert second == await stage.known(first.id)

        await stage.advance(LEASE + MICROSECOND)
        third = await stage.pop()
        assert (0, 3, 2) == (third.retry_count, third.delivery_count, third.lost_count)

    @scenario
    async def test_a_new_holder_has_a_whole_lease(self, stage: Stage) -> None:
        await stage.popped("mine")
        await stage.advance(LEASE + MICROSECOND)
        await stage.pop(BOB)
        await stage.advance(LEASE)
        assert [] == await stage.poppable()

        await stage.advance(MICROSECOND)
        assert ["mine"] == await stage.poppable()

    @scenario
    async def test_leases_of_one_queue_run_out_each_on_its_own(self, stage: Stage) -> None:
        for name, interval in (("long", 0.3), ("short", 0.1), ("middle", 0.2)):
            await stage.popped(name, heartbeat_interval=timedelta(seconds=interval))

        for seconds, name in ((0.5, "short"), (0.5 - MICROSECOND, "middle"), (0.5 - MICROSECOND, "long")):
            await stage.advance(seconds)
            assert [] == await stage.poppable()
            await stage.advance(MICROSECOND)
            lapsed = await stage.pop(BOB)
            assert name == lapsed.name
            await stage.complete(lapsed, JobResult.SUCCESS, BOB)

    @scenario
    async def test_a_job_whose_lease_ran_out_takes_its_turn_among_the_others(self, stage: Stage) -> None:
        await stage.push("low", priority=-1)
        await stage.pop()
        await stage.advance(LEASE + MICROSECOND)
        await stage.push("high", priority=1)

        assert ["high", "low"] == await stage.poppable()

    @scenario
    async def test_no_put_back_lowers_a_count(self, stage: Stage) -> None:
        await stage.push("job", max_retries=None, backoff=Linear(0))
        await stage.pop(BOB)
        await stage.advance(LEASE + MICROSECOND)
        expected_retries = 0
        for delivery, result in enumerate(
            [JobResult.UNEXECUTED, JobResult.UNREGISTERED, JobResult.FAILURE, JobResult.UNEXECUTED, JobResult.FAILURE],
            start=2,
        ):
            job = await stage.pop()
            assert (expected_retries, delivery, 1) == (job.retry_count, job.delivery_count, job.lost_count)

            assert not await stage.complete(job, result)
            expected_retries += result is JobResult.FAILURE
            back = await stage.known(job.id)
            assert (expected_retries, delivery, 1) == (back.retry_count, back.delivery_count, back.lost_count)

    @scenario
    async def test_a_job_put_back_in_time_was_not_lost(self, stage: Stage) -> None:
        job = await stage.popped("job")
        await stage.complete(job, JobResult.UNEXECUTED)
        await stage.advance(LEASE + MICROSECOND)

        again = await stage.pop()
        assert (2, 0) == (again.delivery_count, again.lost_count)

    @scenario
    async def test_a_job_put_back_after_its_lease_by_its_holder_was_not_lost(self, stage: Stage) -> None:
        job = await stage.popped("job")
        await stage.advance(LEASE + MICROSECOND)
        await stage.complete(job, JobResult.UNEXECUTED)

        again = await stage.pop()
        assert (2, 0) == (again.delivery_count, again.lost_count)

    @scenario
    async def test_one_runner_may_hold_many_jobs(self, stage: Stage) -> None:
        jobs = [await stage.popped(str(number)) for number in range(5)]
        await stage.advance(LEASE)
        for job in jobs[:4]:
            await stage.beat(job)
        await stage.advance(MICROSECOND)

        assert ["4"] == await stage.poppable()
        for job in jobs[:4]:
            assert await stage.complete(job, JobResult.SUCCESS)
