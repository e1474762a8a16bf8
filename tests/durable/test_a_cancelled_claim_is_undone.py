"""A pop that ends when its claim is committed, and its loop does not know yet, leaves no trace."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from jobcore import NewJobInfo, SqliteStorage
from jobcore.sqlite.database import Database
from jobcore.testing import FakeClock, settle

if TYPE_CHECKING:
    from pathlib import Path

    from jobcore import JobInfo

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


def test_a_cancelled_claim_is_not_taken_from_who_got_the_job_after_it(path: Path) -> None:
    async def run() -> None:
        clock = FakeClock()

        async def pop_elsewhere() -> JobInfo:
            async with SqliteStorage(path, clock=clock) as other:
                return await other.pop("default", BOB)

        async with SqliteStorage(path, clock=clock) as storage:
            await storage.push(NewJobInfo("job", heartbeat_interval=timedelta(seconds=1)))
            popping = asyncio.create_task(storage.pop("default", ALICE))
            await asyncio.sleep(0)
            with closing(sqlite3.connect(path)) as connection:
                while not connection.execute("SELECT runner FROM job WHERE runner IS NOT NULL").fetchall():
                    time.sleep(0.001)
            clock.skip(6)
            with ThreadPoolExecutor() as elsewhere:  # this loop stands still
                job = elsewhere.submit(lambda: asyncio.run(pop_elsewhere())).result()
            popping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await popping

            assert (2, 1) == (job.delivery_count, job.lost_count)
            await storage.heartbeat(job.id, BOB, job.delivery_count)
            assert 1 == (await storage.stats()).popped

    asyncio.run(run())


def test_a_claim_for_a_loop_that_was_closed_meanwhile_is_undone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(database: Database) -> None:
        abandoned.close()
        committed(database)

    async def run() -> None:
        async with SqliteStorage(path) as storage:
            waiting = abandoned.create_task(storage.pop("default", ALICE))
            await asyncio.to_thread(abandoned.run_until_complete, settle())
            monkeypatch.setattr(Database, "commit", commit)
            job_id = await storage.push(NewJobInfo("job"))
            job = await storage.pop("default", BOB)

            assert (job_id, 1, 0) == (job.id, job.delivery_count, job.lost_count)
            assert 1 == (await storage.stats()).popped
            del waiting

    committed = Database.commit
    abandoned = asyncio.new_event_loop()
    abandoned.set_exception_handler(lambda _loop, _context: None)  # of a pending task: it is the point
    asyncio.run(run())
