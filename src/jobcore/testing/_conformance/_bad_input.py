"""Bad input: mistakes of the caller are refused where they are made, and change nothing.

A wrong type is a `TypeError` or, as `InvalidJob` is, a `ValueError`; a wrong value is `InvalidJob`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from jobcore.errors import InvalidJob
from jobcore.jobs import JobResult
from jobcore.testing._conformance._base import ALICE, Conformance, Stage, scenario

WRONG_IDS: tuple[Any, ...] = (None, "a11ce000-0000-4000-8000-000000000000", 7, b"\0" * 16, [])
WRONG_TYPE = (TypeError, ValueError)


class BadInput(Conformance):
    """What a storage does not take."""

    @scenario
    async def test_pop_refuses_names_that_no_queue_has(self, stage: Stage) -> None:
        await stage.push("job")
        for queue in ("", "q" * 256, "ü" * 128, "a\0b", "\ud800"):
            with pytest.raises(InvalidJob):
                await stage.soon(stage.storage.pop(queue, ALICE))
        assert ["job"] == await stage.poppable()

    @scenario
    async def test_pop_refuses_what_is_no_name(self, stage: Stage) -> None:
        await stage.push("job")
        wrong: Any
        for wrong in (None, b"queue", 7, ["queue"]):
            with pytest.raises(WRONG_TYPE):
                await stage.soon(stage.storage.pop(wrong, ALICE))
        assert ["job"] == await stage.poppable()

    @scenario
    async def test_pop_refuses_what_is_no_runner(self, stage: Stage) -> None:
        await stage.push("job")
        for wrong in WRONG_IDS:
            with pytest.raises(WRONG_TYPE):
                await stage.soon(stage.storage.pop(stage.queue, wrong))
        assert 0 == (await stage.known(await stage.push("second"))).delivery_count
        assert ["job", "second"] == await stage.poppable()

    @scenario
    async def test_push_refuses_what_is_no_new_job(self, stage: Stage) -> None:
        job = await stage.popped("running")
        wrong: Any
        for wrong in (None, "job", {"name": "job"}, job):
            with pytest.raises(WRONG_TYPE):
                await stage.soon(stage.storage.push(wrong))
        assert [] == await stage.poppable()

    @scenario
    async def test_info_refuses_what_is_no_id(self, stage: Stage) -> None:
        for wrong in WRONG_IDS:
            with pytest.raises(WRONG_TYPE):
                await stage.soon(stage.storage.info(wrong))

    @scenario
    async def test_heartbeat_refuses_what_is_no_id_runner_or_delivery(self, stage: Stage) -> None:
        job = await stage.popped()
        for wrong in WRONG_IDS:
            with pytest.raises(WRONG_TYPE):
                await stage.soon(stage.storage.heartbeat(wrong, ALICE))
            with pytest.raises(WRONG_TYPE):
                await stage.soon(stage.storage.heartbeat(job.id, wrong))
        deliveries: tuple[Any, ...] = ("1", 1.0, [])
        for delivery in deliveries:
            with pytest.raises(WRONG_TYPE):
                await stage.soon(stage.storage.heartbeat(job.id, ALICE, delivery))
        assert job == await stage.known(job.id)

    @scenario
    async def test_complete_refuses_what_is_no_return(self, stage: Stage) -> None:
        job = await stage.popped()
        wrong: Any
        for wrong in (None, job, job.id, JobResult.SUCCESS):
            with pytest.raises(WRONG_TYPE):
                await stage.soon(stage.storage.complete(wrong))
        assert job == await stage.known(job.id)

    @scenario
    async def test_pop_many_refuses_what_pop_refuses_and_wrong_limits(self, stage: Stage) -> None:
        storage = stage.batches
        await stage.push("job")
        wrong: Any
        for wrong in (0, -1, 1.5, "1", None):
            with pytest.raises(WRONG_TYPE):
                await stage.soon(storage.pop_many(stage.queue, ALICE, wrong))
        for queue in ("", "q" * 256, "a\0b"):
            with pytest.raises(InvalidJob):
                await stage.soon(storage.pop_many(queue, ALICE, 1))
        for wrong in WRONG_IDS:
            with pytest.raises(WRONG_TYPE):
                await stage.soon(storage.pop_many(stage.queue, wrong, 1))
        assert ["job"] == await stage.poppable()

    @scenario
    async def test_heartbeat_many_refuses_what_is_no_job_or_runner(self, stage: Stage) -> None:
        storage = stage.batches
        job = await stage.popped()
        wrong: Any
        for wrong in (None, UUID(int=1), "job"):
            with pytest.raises(WRONG_TYPE):
                await stage.soon(storage.heartbeat_many([job, wrong], ALICE))
        for wrong in WRONG_IDS:
            with pytest.raises(WRONG_TYPE):
                await stage.soon(storage.heartbeat_many([job], wrong))
        assert job == await stage.known(job.id)
