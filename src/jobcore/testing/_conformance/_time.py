"""Time: what a jump of the wall clock does, and what it does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobcore.jobs import JobResult
from jobcore.testing._conformance._base import BOB, LEASE, MICROSECOND, Conformance, Stage, scenario

CAP = 10.0
"""Seconds after which a waiting storage looks at the wall clock again."""


class Time(Conformance):
    """Leases run on the monotonic clock, due times on the wall clock."""

    def _needs_monotonic_leases(self) -> None:
        if not self.leases_are_monotonic:
            pytest.skip("the leases of this storage do not run on the monotonic clock")

    @scenario
    async def test_a_jump_of_the_wall_clock_steals_no_lease(self, stage: Stage) -> None:
        self._needs_monotonic_leases()
        job = await stage.popped("mine")
        for seconds in (3600, 86400 * 365):
            stage.clock.jump_wall(seconds)
            assert [] == await stage.poppable()

        await stage.advance(LEASE)
        assert [] == await stage.poppable()
        assert await stage.complete(job, JobResult.SUCCESS)

    @scenario
    async def test_a_jump_of_the_wall_clock_eternalises_no_lease(self, stage: Stage) -> None:
        self._needs_monotonic_leases()
        moment = stage.clock.now() - timedelta(days=7)
        await stage.push("mine", next_queue=moment)
        await stage.pop()
        stage.clock.jump_wall(-86400)
        await stage.advance(LEASE + MICROSECOND)

        assert ["mine"] == await stage.poppable()

    @scenario
    async def test_a_lease_that_runs_out_after_a_jump_wakes(self, stage: Stage) -> None:
        self._needs_monotonic_leases()
        job = await stage.popped(next_queue=stage.clock.now() - timedelta(days=7))
        waiting = await stage.waiting(BOB)
        stage.clock.jump_wall(-86400)
        await stage.advance(LEASE)
        assert not waiting.done()

        await stage.advance(MICROSECOND + self.wake_latency)
        assert job.id == (await stage.soon(waiting)).id

    @scenario
    async def test_a_jump_forward_is_noticed_within_ten_seconds(self, stage: Stage) -> None:
        for hours in (1, 24 * 365):
            await stage.push("scheduled", next_queue=timedelta(hours=hours))
            waiting = await stage.waiting()
            stage.clock.jump_wall(hours * 3600)
            await stage.advance(CAP + self.wake_latency)

            job = await stage.soon(waiting)
            assert "scheduled" == job.name
            await stage.complete(job, JobResult.SUCCESS)

    @scenario
    async def test_a_suspended_machine_delays_nothing_longer_than_ten_seconds(self, stage: Stage) -> None:
        await stage.push("scheduled", next_queue=timedelta(hours=1))
        waiting = await stage.waiting()
        stage.clock.skip(3600)
        await stage.advance(CAP + self.wake_latency)

        assert "scheduled" == (await stage.soon(waiting)).name

    @scenario
    async def test_after_a_jump_forward_a_pop_sees_the_new_time_at_once(self, stage: Stage) -> None:
        await stage.push("scheduled", next_queue=timedelta(hours=1))
        stage.clock.jump_wall(3600)

        assert ["scheduled"] == await stage.poppable()

    @scenario
    async def test_after_a_jump_back_a_scheduled_job_is_still_not_early(self, stage: Stage) -> None:
        await stage.push("scheduled", next_queue=timedelta(seconds=2))
        waiting = await stage.waiting()
        stage.clock.jump_wall(-1)
        await stage.advance(3 - MICROSECOND)
        assert not waiting.done()

        await stage.advance(MICROSECOND + CAP)
        assert "scheduled" == (await stage.soon(waiting)).name

    @scenario
    async def test_after_a_jump_back_what_was_due_is_not_early_and_keeps_nothing_back(self, stage: Stage) -> None:
        await stage.push("first", priority=1)
        await stage.push("second")
        stage.clock.jump_wall(-5)
        await stage.push("now", priority=-1)
        job = await stage.pop()
        assert "now" == job.name
        await stage.complete(job, JobResult.SUCCESS)

        await stage.advance(5 - MICROSECOND)
        assert [] == await stage.poppable()
        await stage.advance(MICROSECOND)
        assert ["first", "second"] == await stage.poppable()

    @scenario
    async def test_a_long_wait_ends_on_time_whatever_the_cap(self, stage: Stage) -> None:
        await stage.push("scheduled", next_queue=timedelta(seconds=35))
        waiting = await stage.waiting()
        await stage.advance(35 - MICROSECOND)
        assert not waiting.done()

        await stage.advance(MICROSECOND + self.wake_latency)
        assert "scheduled" == (await stage.soon(waiting)).name
