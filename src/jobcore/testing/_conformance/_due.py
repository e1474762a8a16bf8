"""Due: never before `next_queue`, visible at once from then on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from jobcore.jobs import JobResult
from jobcore.testing._conformance._base import MICROSECOND, Conformance, Stage, scenario


class Due(Conformance):
    """When a job can be popped."""

    @scenario
    async def test_a_job_without_next_queue_is_due_at_the_time_of_its_push(self, stage: Stage) -> None:
        await stage.advance(1.5)
        pushed = stage.clock.now()
        job_id = await stage.push("at once")
        await stage.advance(1)

        assert pushed == (await stage.known(job_id)).next_queue
        assert ["at once"] == await stage.poppable()

    @scenario
    async def test_a_moment_is_kept_to_the_microsecond(self, stage: Stage) -> None:
        moment = stage.clock.now() + timedelta(seconds=1, microseconds=1)
        job_id = await stage.push("later", next_queue=moment)

        assert moment == (await stage.known(job_id)).next_queue
        await stage.advance(1)
        assert [] == await stage.poppable()
        await stage.advance(MICROSECOND)
        assert ["later"] == await stage.poppable()

    @scenario
    async def test_a_timedelta_counts_from_the_storages_time_at_push(self, stage: Stage) -> None:
        new = stage.new("later", next_queue=timedelta(seconds=10))
        await stage.advance(100)
        pushed = stage.clock.now()
        job_id = await stage.soon(stage.storage.push(new))

        assert pushed + timedelta(seconds=10) == (await stage.known(job_id)).next_queue
        await stage.advance(10 - MICROSECOND)
        assert [] == await stage.poppable()
        await stage.advance(MICROSECOND)
        assert ["later"] == await stage.poppable()

    @scenario
    async def test_the_past_is_at_once(self, stage: Stage) -> None:
        await stage.push("a moment", next_queue=stage.clock.now() - timedelta(days=1))
        assert ["a moment"] == await stage.poppable()

        await stage.push("a duration", next_queue=timedelta(days=-1))
        assert ["a duration"] == await stage.poppable()

        await stage.push("before all time", next_queue=datetime.min.replace(tzinfo=UTC))
        assert ["before all time"] == await stage.poppable()

        await stage.push("the longest time ago", next_queue=timedelta.min)
        assert ["the longest time ago"] == await stage.poppable()

    @scenario
    async def test_the_latest_date_is_a_date(self, stage: Stage) -> None:
        latest = datetime.max.replace(tzinfo=UTC)
        for next_queue in (latest, timedelta.max):
            job_id = await stage.push("never", next_queue=next_queue)
            assert latest == (await stage.known(job_id)).next_queue

        assert [] == await stage.poppable()

    @scenario
    async def test_every_time_zone_means_the_same_moment(self, stage: Stage) -> None:
        moment = stage.clock.now() + timedelta(seconds=1)
        job_id = await stage.push(next_queue=moment.astimezone(timezone(timedelta(hours=5, minutes=45))))

        known = await stage.known(job_id)
        assert moment == known.next_queue
        assert timedelta(0) == known.next_queue.utcoffset()

    @scenario
    async def test_a_due_job_is_visible_behind_any_number_of_later_ones(self, stage: Stage) -> None:
        for number in range(50):
            await stage.push("later", priority=number, next_queue=timedelta(seconds=1 + number))
        await stage.push("now", priority=-1)

        assert ["now"] == await stage.poppable()

    @scenario
    async def test_a_job_that_rests_is_not_popped_before_it_is_due_again(self, stage: Stage) -> None:
        for result in (JobResult.FAILURE, JobResult.UNEXECUTED, JobResult.UNREGISTERED):
            job = await stage.popped("resting")
            assert not await stage.complete(job, result, delay=timedelta(seconds=3))

            await stage.advance(3 - MICROSECOND)
            assert [] == await stage.poppable()
            await stage.advance(MICROSECOND)
            again = await stage.pop()
            assert job.id == again.id
            await stage.complete(again, JobResult.SUCCESS)
