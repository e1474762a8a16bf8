"""Pops that are cancelled: before they began, while they wait, with a job within reach; and those that time out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

from jobcore import JobResult, MemoryStorage, NewJobInfo
from tests.leaks.scripts.counting import CYCLES, assert_flat

QUEUE = "queue" * 3
RUNNER = UUID(int=1)

job = NewJobInfo("job", queue=QUEUE)
storage = MemoryStorage()


async def cancel(turns: int, *, push: bool) -> None:
    popping = asyncio.ensure_future(storage.pop(QUEUE, RUNNER))
    for _ in range(turns):
        await asyncio.sleep(0)
    if push:
        storage.push_nowait(job)
    popping.cancel()
    with suppress(asyncio.CancelledError):
        await popping
    if push:
        popped = storage.pop_nowait(QUEUE, RUNNER)
        assert popped is not None
        storage.complete_nowait(popped.returned(JobResult.SUCCESS, RUNNER))


async def thrown_away() -> None:
    popping = storage.pop(QUEUE, RUNNER)
    while popping.send(None) is None:  # it may let the loop run first
        pass
    popping.close()


async def play() -> None:
    for _ in range(10):
        await cancel(0, push=False)
        await cancel(2, push=False)
        await cancel(2, push=True)
        await thrown_away()


with asyncio.Runner() as runner:
    loop = runner.get_loop()
    assert_flat(lambda: loop.run_until_complete(play()), job, storage, RUNNER, cycles=CYCLES // 200, collect=True)
assert not storage._waiting.by_queue
