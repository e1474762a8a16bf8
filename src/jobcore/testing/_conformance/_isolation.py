"""Isolation: what you get is yours, and what you gave is the storage's."""

from __future__ import annotations

from typing import Any

import pytest

from jobcore.jobs import JobResult
from jobcore.testing._conformance._base import Conformance, Stage, scenario


class Isolation(Conformance):
    """Nothing done to a value outside changes what is stored."""

    @scenario
    async def test_changes_to_what_was_pushed_do_not_reach_the_job(self, stage: Stage) -> None:
        args: dict[str, Any] = {"list": [1]}
        job_id = await stage.push("job", args)
        args["list"].append(2)
        args["more"] = True

        assert {"list": [1]} == (await stage.known(job_id)).args
        assert {"list": [1]} == (await stage.pop()).args

    @scenario
    async def test_changes_to_what_came_back_do_not_reach_the_job(self, stage: Stage) -> None:
        job = await stage.popped("job", {"list": [1]})
        job.args["list"].append(2)
        args = job.args
        args["more"] = True
        assert {"list": [1]} == (await stage.known(job.id)).args

        await stage.complete(job, JobResult.UNEXECUTED)
        assert {"list": [1]} == (await stage.pop()).args

    @scenario
    async def test_jobs_of_one_new_job_are_jobs_of_their_own(self, stage: Stage) -> None:
        new = stage.new("job", [1])
        ids = {await stage.soon(stage.storage.push(new)) for _ in range(3)}
        assert 3 == len(ids)

        first = await stage.pop()
        await stage.complete(first, JobResult.DEAD)
        assert ["job", "job"] == await stage.poppable()

    @scenario
    async def test_a_job_that_you_have_does_not_change(self, stage: Stage) -> None:
        waiting = await stage.known(await stage.push("job"))
        before = waiting.to_json()
        popped = await stage.pop()
        await stage.complete(popped, JobResult.FAILURE, error="why")

        assert before == waiting.to_json()
        assert (0, 1, None) == (popped.retry_count, popped.delivery_count, popped.last_error)

    @scenario
    async def test_a_job_is_immutable(self, stage: Stage) -> None:
        job: Any = await stage.popped("job")
        for field in ("id", "name", "queue", "args", "priority", "retry_count", "delivery_count", "next_queue"):
            with pytest.raises((AttributeError, TypeError)):
                setattr(job, field, getattr(job, field))
