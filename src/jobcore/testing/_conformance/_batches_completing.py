"""Batches of jobs on their way back: `heartbeat_many` and `complete_many`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobcore.jobs import Completion, JobInfo, JobResult, Linear, ReturnJobInfo
from jobcore.testing._conformance._base import ALICE, BOB, LEASE, MICROSECOND, NOBODY, Conformance, Stage, scenario

REMOVED, PUT_BACK, LEASE_LOST = Completion.REMOVED, Completion.PUT_BACK, Completion.LEASE_LOST


class BatchesCompleting(Conformance):
    """Many heartbeats and many completions in one call; skipped where a storage takes no batches."""

    @scenario
    async def test_heartbeat_many_renews_those_held_and_names_the_others(self, stage: Stage) -> None:
        storage = stage.batches
        held = await stage.popped("held")
        others = await stage.popped("another's", runner=BOB)
        removed = await stage.popped("removed")
        await stage.complete(removed, JobResult.SUCCESS)
        later = {"next_queue": timedelta(hours=1)}
        waiting = await stage.known(await stage.push("waiting", **later))
        await stage.advance(LEASE)

        lost = await stage.soon(storage.heartbeat_many([others, held, removed, waiting], ALICE))
        assert [others.id, removed.id, waiting.id] == lost
        await stage.advance(MICROSECOND)
        assert ["another's"] == await stage.poppable()

    @scenario
    async def test_heartbeat_many_tells_deliveries_apart(self, stage: Stage) -> None:
        storage = stage.batches
        first = await stage.popped()
        await stage.advance(LEASE + MICROSECOND)
        second = await stage.pop()

        assert [first.id] == await stage.soon(storage.heartbeat_many([first], ALICE))
        assert [] == await stage.soon(storage.heartbeat_many([second], ALICE))

    @scenario
    async def test_heartbeat_many_renews_after_the_lease_too(self, stage: Stage) -> None:
        storage = stage.batches
        jobs = [await stage.popped(), await stage.popped()]
        await stage.advance(3 * LEASE)

        assert [] == await stage.soon(storage.heartbeat_many(iter(jobs), ALICE))
        assert [] == await stage.poppable()
        assert [] == await stage.soon(storage.heartbeat_many([], ALICE))

    @scenario
    async def test_complete_many_completes_each_on_its_own(self, stage: Stage) -> None:
        storage = stage.batches
        jobs = [await stage.popped(str(number), max_retries=1, backoff=Linear(5)) for number in range(6)]
        others = await stage.popped("another's", runner=BOB)
        returned = [
            jobs[0].returned(JobResult.SUCCESS, ALICE),
            jobs[1].returned(JobResult.FAILURE, ALICE, error="why"),
            others.returned(JobResult.SUCCESS, ALICE),
            jobs[2].returned(JobResult.DEAD, ALICE),
            ReturnJobInfo(NOBODY, JobResult.FAILURE, ALICE, 1),
            jobs[3].returned(JobResult.UNEXECUTED, ALICE, delay=timedelta(seconds=3)),
            jobs[4].returned(JobResult.UNREGISTERED, ALICE),
            jobs[5].unexecuted(),
        ]

        expected = [REMOVED, PUT_BACK, LEASE_LOST, REMOVED, REMOVED, PUT_BACK, PUT_BACK, PUT_BACK]
        assert expected == await stage.soon(storage.complete_many(iter(returned)))
        assert await stage.forgotten(jobs[0].id)
        assert jobs[1].prepare_retry(stage.clock.now(), error="why") == await stage.known(jobs[1].id)
        assert others == await stage.known(others.id)
        assert await stage.forgotten(jobs[2].id)
        assert stage.clock.now() + timedelta(seconds=3) == (await stage.known(jobs[3].id)).next_queue
        assert ["4", "5"] == await stage.poppable()

    @scenario
    async def test_complete_many_goes_in_order(self, stage: Stage) -> None:
        storage = stage.batches
        job = await stage.popped(max_retries=1, backoff=Linear(0))
        twice = [job.returned(JobResult.FAILURE, ALICE)] * 2
        assert [PUT_BACK, LEASE_LOST] == await stage.soon(storage.complete_many(twice))

        job = await stage.pop()
        assert [REMOVED, REMOVED] == await stage.soon(
            storage.complete_many([job.returned(JobResult.FAILURE, ALICE), job.returned(JobResult.UNEXECUTED, ALICE)])
        )
        assert [] == await stage.soon(storage.complete_many([]))

    @scenario
    async def test_jobs_put_back_by_complete_many_serve_those_who_wait(self, stage: Stage) -> None:
        storage = stage.batches
        jobs = [await stage.popped(name) for name in ("one", "two")]
        waiting = [await stage.waiting(), await stage.waiting(BOB)]
        await stage.soon(storage.complete_many([job.unexecuted() for job in jobs]))

        assert {"one", "two"} == {(await stage.soon(task)).name for task in waiting}

    @scenario
    async def test_jobs_put_back_by_complete_many_keep_their_places(self, stage: Stage) -> None:
        storage = stage.batches
        jobs: list[JobInfo] = [await stage.popped(str(number)) for number in range(4)]
        await stage.push("4")
        await stage.soon(storage.complete_many([job.unexecuted() for job in reversed(jobs)]))

        assert ["0", "1", "2", "3", "4"] == await stage.poppable()

    @scenario
    async def test_what_is_no_return_is_refused_with_nothing_changed(self, stage: Stage) -> None:
        storage = stage.batches
        job = await stage.popped()
        wrong: Any
        for wrong in (None, job, job.id):
            with pytest.raises((TypeError, ValueError)):
                await stage.soon(storage.complete_many([job.returned(JobResult.SUCCESS, ALICE), wrong]))
            assert job == await stage.known(job.id)
