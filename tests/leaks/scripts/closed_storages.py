"""Storages that end with jobs in them and pops that wait on them: closed, or just forgotten."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from contextlib import suppress
from uuid import UUID

from jobcore import JobResult, Linear, MemoryStorage, NewJobInfo, StorageClosed
from tests.leaks.scripts.counting import CYCLES, assert_flat

QUEUE = "queue" * 3
RUNNER = UUID(int=1)

job = NewJobInfo("job", queue=QUEUE, backoff=Linear(1000))
ends: list[str] = []


def fill(storage: MemoryStorage) -> None:
    for number in range(10):
        storage.push_nowait(job)
        if number % 3 == 0:
            popped = storage.pop_nowait(QUEUE, RUNNER)
            assert popped is not None
            if number:
                storage.complete_nowait(popped.returned(JobResult.FAILURE, RUNNER, error="with another handle"))


async def close() -> None:
    storage = MemoryStorage()
    weakref.finalize(storage, ends.append, "closed")
    fill(storage)
    popping = asyncio.ensure_future(storage.pop("empty", RUNNER))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await storage.aclose()
    with suppress(StorageClosed):
        await popping
    await storage.aclose()


def forget() -> None:
    storage = MemoryStorage()
    weakref.finalize(storage, ends.append, "forgotten")
    fill(storage)


def end(kind: str) -> None:
    # A storage knows its waitlists, which ask it when the next job is due: that takes the collector.
    gc.collect()
    assert ends == [kind]
    ends.clear()


def close_one() -> None:
    loop.run_until_complete(close())
    end("closed")


def forget_one() -> None:
    forget()
    end("forgotten")


with asyncio.Runner() as runner:
    loop = runner.get_loop()
    before = sys.getrefcount(job)
    assert_flat(close_one, job, RUNNER, cycles=CYCLES // 400, collect=True)
    assert_flat(forget_one, job, RUNNER, cycles=CYCLES // 400, collect=True)
    assert before == sys.getrefcount(job)
