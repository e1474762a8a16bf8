"""What the tests of the worker stand on: run until a condition holds, under a guard of real time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobcore import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

GUARD = 30.0


class CountingStorage(MemoryStorage):
    """Counts how often leases are renewed."""

    beats = 0

    async def heartbeat_many(self, held: Any, runner_id: Any) -> Any:
        self.beats += 1
        return await super().heartbeat_many(held, runner_id)


def play(scene: Coroutine[Any, Any, None]) -> None:
    async def guarded() -> None:
        async with asyncio.timeout(GUARD):
            await scene

    asyncio.run(guarded())


async def until(condition: Callable[[], bool]) -> None:
    """Look each millisecond; the guard around the test ends a condition that never comes."""
    while not condition():  # noqa: ASYNC110  (whatever it asks, nobody sets an event for it)
        await asyncio.sleep(0.001)


async def until_empty(storage: MemoryStorage) -> None:
    await until(lambda: len(storage) == 0)
