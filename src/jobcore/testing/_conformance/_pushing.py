"""Pushing: what goes in comes out, under an id of the storage's making or of your own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from jobcore.jobs import Exponential, JobResult, Linear
from jobcore.testing._conformance._base import NOBODY, Conformance, Stage, scenario

OWN = UUID("0a000000-0000-4000-8000-000000000000")


class Pushing(Conformance):
    """What a push does."""

    @scenario
    async def test_everything_that_was_pushed_is_there_again(self, stage: Stage) -> None:
        options: dict[str, Any] = {
            "priority": -7,
            "max_retries": 3,
            "backoff": Exponential(3, cap=60, jitter=0.25),
            "heartbeat_interval": timedelta(seconds=1, microseconds=1),
        }
        job_id = await stage.push("a name", {"an": ["argument"]}, **options)
        waiting = await stage.known(job_id)
        running = await stage.pop()

        for job in (waiting, running):
            assert (job_id, "a name", stage.queue) == (job.id, job.name, job.queue)
            assert {"an": ["argument"]} == job.args
            assert options == {option: getattr(job, option) for option in options}
            assert (0, 0, None) == (job.retry_count, job.lost_count, job.last_error)
        assert (0, 1) == (waiting.delivery_count, running.delivery_count)
        assert running == await stage.known(job_id)

    @scenario
    async def test_the_bounds_of_every_field_are_taken(self, stage: Stage) -> None:
        bounds: tuple[dict[str, Any], ...] = (
            {"name": "n" * 65536, "queue": "q" * 255, "priority": 32767, "heartbeat_interval": timedelta(days=1)},
            {"name": "n", "queue": "q", "priority": -32768, "heartbeat_interval": timedelta(milliseconds=1)},
            {"name": "ü" * 32768, "queue": "\U0001f40d" * 63, "max_retries": 0, "backoff": Linear(0)},
            {"name": "control \x01\x1f\x7f", "queue": "\n", "max_retries": 2**31 - 1, "backoff": Linear(1e308)},
            {"name": "'; --", "queue": '"', "max_retries": None, "backoff": Exponential(1e308, cap=0, jitter=1)},
        )
        for options in bounds:
            job = await stage.popped(**options)
            assert options == {option: getattr(job, option) for option in options}

    @scenario
    async def test_args_come_back_byte_for_byte(self, stage: Stage) -> None:
        values: list[Any] = [
            None,
            False,
            0,
            -(2**63),
            2**64 - 1,
            1.0,
            0.1,
            5e-324,
            -1.7976931348623157e308,
            "",
            "NUL \x00, DEL \x7f, ü, \u2028, \U0001f40d, \\, \", '",
            [],
            {},
            {"b": 1, "a": 2, "": {"B": [None, [[]], {"ä": 1.0}]}},
            {"null": None, "numbers": [1, 1.0, 1e22, 1e-7, -0.0]},
            [1] * 100_000,
        ]
        for args in values:
            new = stage.new("job", args)
            await stage.soon(stage.storage.push(new))
            job = await stage.pop()

            assert new.raw_args == job.raw_args
            assert new.raw_args == (await stage.known(job.id)).raw_args
            assert args == job.args

    @scenario
    async def test_ids_are_of_version_7_and_in_the_order_of_pushes(self, stage: Stage) -> None:
        ids = [await stage.push() for _ in range(100)]

        assert {7} == {job_id.version for job_id in ids}
        assert sorted(set(ids)) == ids

    @scenario
    async def test_an_id_of_your_own_is_kept(self, stage: Stage) -> None:
        for own in (OWN, uuid4(), UUID(int=0), UUID(int=2**128 - 1)):
            assert own == await stage.push(id=own)
            assert own == (await stage.pop()).id

    @scenario
    async def test_a_push_with_a_known_id_changes_nothing(self, stage: Stage) -> None:
        await stage.push("first", ["first"], id=OWN)
        before = await stage.known(OWN)

        await stage.advance(1)
        assert OWN == await stage.push("second", ["second"], id=OWN, priority=5)
        assert OWN == await stage.push("second", id=OWN, queue="another queue")
        assert before == await stage.known(OWN)
        assert ["first"] == await stage.poppable()
        assert [] == await stage.poppable("another queue")

    @scenario
    async def test_a_push_with_the_id_of_a_running_job_changes_nothing(self, stage: Stage) -> None:
        job = await stage.popped("running", id=OWN)

        assert OWN == await stage.push("again", id=OWN)
        assert job == await stage.known(OWN)
        assert [] == await stage.poppable()
        await stage.beat(job)
        assert await stage.complete(job, JobResult.SUCCESS)

    @scenario
    async def test_a_push_with_the_id_of_a_resting_job_does_not_hurry_it(self, stage: Stage) -> None:
        await stage.push("later", id=OWN, next_queue=timedelta(seconds=10))

        assert OWN == await stage.push("now", id=OWN)
        assert [] == await stage.poppable()

    @scenario
    async def test_an_id_is_free_again_when_its_job_is_removed(self, stage: Stage) -> None:
        job = await stage.popped("first", id=OWN)
        await stage.complete(job, JobResult.SUCCESS)

        again = await stage.popped("second", id=OWN)
        assert ("second", 1) == (again.name, again.delivery_count)

    @scenario
    async def test_info_of_an_unknown_id_is_none(self, stage: Stage) -> None:
        await stage.push()

        assert await stage.forgotten(NOBODY)

    @scenario
    async def test_info_takes_nothing(self, stage: Stage) -> None:
        job_id = await stage.push("job")
        for _ in range(3):
            assert 0 == (await stage.known(job_id)).delivery_count

        assert ["job"] == await stage.poppable()
