from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobcore.sqlite import SqliteStorage
from jobcore.testing import FakeClock, StorageConformance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAUSE = 0.02
"""Seconds of real time: four times what the storage takes to see that a clock was moved."""


class TestSqliteStorage(StorageConformance):
    leases_are_monotonic = False
    polls_while_idle = True
    wake_latency = 0  # in virtual time

    @asynccontextmanager
    async def open_storage(self, clock: FakeClock) -> AsyncIterator[SqliteStorage]:
        with tempfile.TemporaryDirectory() as folder:
            async with SqliteStorage(Path(folder, "jobs.db"), synchronous="normal", clock=clock) as storage:
                yield storage

    async def pass_time(self, clock: FakeClock, seconds: float) -> None:
        await asyncio.sleep(PAUSE)
        clock.skip(seconds)
        await asyncio.sleep(PAUSE)

    async def settle(self) -> None:
        await asyncio.sleep(PAUSE)
