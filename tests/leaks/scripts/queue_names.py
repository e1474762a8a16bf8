"""Queue names that are used once each: with a job, and with a pop that waits in vain."""

from __future__ import annotations

import asyncio
from itertools import count
from uuid import UUID

from jobcore import JobResult, MemoryStorage, NewJobInfo
from tests.leaks.scripts.counting import COMPILED, assert_flat

RUNNER = UUID(int=1)
NAMES = 100_000 if COMPILED else 5_000

numbers = count(10**9)
storage = MemoryStorage()


def use() -> None:
    queue = f"queue {next(numbers)}"
    storage.push_nowait(NewJobInfo("job", queue=queue))
    popped = storage.pop_nowait(queue, RUNNER)
    assert popped is not None
    storage.complete_nowait(popped.returned(JobResult.SUCCESS, RUNNER))


async def wait() -> None:
    for _ in range(10):
        popping = asyncio.ensure_future(storage.pop(f"queue {next(numbers)}", RUNNER))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        popping.cancel()
        await asyncio.wait([popping])


assert_flat(use, storage, RUNNER, cycles=NAMES)
assert not storage.stats().by_queue
with asyncio.Runner() as runner:
    loop = runner.get_loop()
    assert_flat(lambda: loop.run_until_complete(wait()), storage, RUNNER, cycles=NAMES // 100, collect=True)
assert not storage._waiting.by_queue
