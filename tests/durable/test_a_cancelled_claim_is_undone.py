"""A pop that is cancelled when its claim is committed, and its loop does not know yet, leaves no trace."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from jobcore import NewJobInfo, SqliteStorage
from jobcore.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

ALICE, BOB = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize("lapses", [0, 1, 2])
@pytest.mark.parametrize("limit", [1, 3])
def test_a_cancelled_claim_is_undone(path: Path, lapses: int, limit: int) -> None:
    def rows(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        return connection.execute("SELECT * FROM job ORDER BY place").fetchall()

    async def run() -> None:
        clock = FakeClock()
        async with SqliteStorage(path, clock=clock) as storage:
            await storage.push_many([NewJobInfo("job", heartbeat_interval=timedelta(seconds=1))] * 3)
            for _ in range(lapses):
                await storage.pop_many("default", BOB, 3)
                clock.skip(6)
            counters = (await storage.stats()).popped
            with closing(sqlite3.connect(path)) as connection:
                before = [row[5:] for row in rows(connection)]
                popping = asyncio.create_task(storage.pop_many("default", ALICE, limit))
                await asyncio.sleep(0)
                # The loop stands still until the writer has committed, so the answer cannot have been seen.
                while sum(row[7] == ALICE.bytes for row in rows(connection)) < limit:
                    time.sleep(0.001)
                popping.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await popping

                assert before == [row[5:] for row in rows(connection)]
            assert counters == (await storage.stats()).popped
            job = await storage.pop("default", ALICE)
            assert (lapses + 1, lapses) == (job.delivery_count, job.lost_count)

    asyncio.run(run())
