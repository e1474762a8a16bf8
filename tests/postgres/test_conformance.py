from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from jobcore.testing import FakeClock, StorageConformance
from tests.postgres.quiet import new_storage, quiet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jobcore import PostgresStorage
    from tests.postgres.server import Server


class TestPostgresStorage(StorageConformance):
    leases_are_monotonic = False
    polls_while_idle = True
    wake_latency = 0  # in virtual time

    @pytest.fixture(autouse=True)
    def _on_a_server(self, server: Server) -> None:
        self.dsn = server.dsn()

    @asynccontextmanager
    async def open_storage(self, clock: FakeClock) -> AsyncIterator[PostgresStorage]:
        async with new_storage(self.dsn, clock) as self.storage:
            yield self.storage

    async def pass_time(self, clock: FakeClock, seconds: float) -> None:
        await self.settle()
        clock.skip(seconds)
        await self.settle()

    async def settle(self) -> None:
        await asyncio.sleep(0)
        await quiet(self.storage)
