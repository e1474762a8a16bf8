"""A call that waits may be part of a cycle, and then it ends in the hands of the garbage collector.

The collector first clears what it found, in any order, so that the call loses what it waits by before its last
reference goes; and its memory is used for another call.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any
from uuid import UUID

import pytest

from jobcore import MemoryStorage

RUNNER = UUID(int=1)


def wait_in_a_cycle(storage: MemoryStorage, *, cycle_first: bool) -> None:
    cycle: list[Any] = []
    if cycle_first:
        cycle.append(cycle)
    call = storage.pop("queue", RUNNER)
    while call.send(None) is None:  # it lets the loop run first
        pass
    cycle.append(call)
    if not cycle_first:
        cycle.append(cycle)


@pytest.mark.parametrize("cycle_first", [True, False])
def test_a_waiting_call_in_a_cycle_is_collected(*, cycle_first: bool) -> None:
    async def play() -> None:
        storage = MemoryStorage()
        for _ in range(40):
            wait_in_a_cycle(storage, cycle_first=cycle_first)
            gc.collect()
            assert not storage._waiting.by_queue
        await storage.aclose()

    gc.freeze()  # what all other tests have left takes most of the time of a collection
    try:
        asyncio.run(play())
    finally:
        gc.unfreeze()
