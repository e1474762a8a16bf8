"""Push, pop, complete, by every form of each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from jobcore import JobResult, Linear, MemoryStorage, NewJobInfo
from tests.leaks.scripts.counting import CYCLES, assert_flat

QUEUE = "queue" * 3
RUNNER = UUID(int=1)
JOB_ID = UUID(int=2)

job = NewJobInfo("job", {"number": 1}, queue=QUEUE, backoff=Linear(0))
named = NewJobInfo("job", {"number": 1}, queue=QUEUE, id=JOB_ID, max_retries=None, backoff=Linear(0))
storage = MemoryStorage()


def plain() -> None:
    job_id = storage.push_nowait(job)
    popped = storage.pop_nowait(QUEUE, RUNNER)
    assert popped is not None
    storage.heartbeat_nowait(job_id, RUNNER, popped.delivery_count)
    assert storage.info_nowait(job_id) == popped
    assert storage.complete_nowait(popped.returned(JobResult.SUCCESS, RUNNER))


def put_back() -> None:
    storage.push_nowait(named)
    for result in (JobResult.FAILURE, JobResult.UNEXECUTED, JobResult.FAILURE, JobResult.DEAD):
        popped = storage.pop_nowait(QUEUE, RUNNER)
        assert popped is not None
        storage.complete_nowait(popped.returned(result, RUNNER, delay=timedelta(0), error="for a reason"))


async def awaited() -> None:
    job_id = await storage.push(job)
    popped = await storage.pop(QUEUE, RUNNER)
    await storage.heartbeat(job_id, RUNNER, popped.delivery_count)
    assert await storage.info(job_id) == popped
    assert await storage.complete(popped.returned(JobResult.SUCCESS, RUNNER))


async def batches() -> None:
    await storage.push_many([job] * 3)
    popped = await storage.pop_many(QUEUE, RUNNER, 3)
    assert await storage.heartbeat_many(popped, RUNNER) == []
    await storage.complete_many([each.returned(JobResult.SUCCESS, RUNNER) for each in popped])


def driven(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(many_awaited())


async def many_awaited() -> None:
    for _ in range(100):
        await awaited()
        await batches()


given = (job, named, storage, RUNNER, JOB_ID)
assert_flat(plain, *given)
assert_flat(put_back, *given, cycles=CYCLES // 4)
with asyncio.Runner() as runner:
    loop = runner.get_loop()
    assert_flat(lambda: driven(loop), *given, cycles=CYCLES // 200, collect=True)
assert len(storage) == 0
