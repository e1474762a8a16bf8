"""A claim for a pop that is not there any more: it is undone, or, if that cannot be, its lease runs out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from jobcore import NewJobInfo, PostgresStorage
from jobcore.testing import settle
from tests.postgres.locks import blocked
from tests.postgres.proxy import Fate, Proxy, Way

if TYPE_CHECKING:
    from jobcore import JobInfo
    from tests.postgres.server import Server

ALICE, BOB = UUID(int=1), UUID(int=2)
HANGS = 60.0
"""Seconds after which a scene counts as one that hangs; it ends long before."""


async def cancel_at_its_claim(storage: PostgresStorage, dsn: str) -> None:
    """A pop that is cancelled while its claim waits for a lock, and has ended."""
    other = await asyncpg.connect(dsn)
    async with other.transaction():
        await other.execute("LOCK TABLE jobcore.job")
        popping = asyncio.create_task(storage.pop("default", ALICE))
        await blocked(dsn, 1)
        popping.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await popping
    await other.close()


def test_a_claim_for_a_loop_that_was_closed_meanwhile_is_undone(dsn: str) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn) as storage, asyncio.timeout(HANGS):
            job_id = await storage.push(NewJobInfo("job"))
            waiting: list[asyncio.Task[JobInfo]] = []
            other = await asyncpg.connect(dsn)
            async with other.transaction():
                await other.execute("LOCK TABLE jobcore.job")
                waiting.append(abandoned.create_task(storage.pop("default", ALICE)))
                await asyncio.to_thread(abandoned.run_until_complete, settle())
                await blocked(dsn, 1)
                abandoned.close()
            await other.close()

            job = await storage.pop("default", BOB)
            assert (job_id, 1, 0) == (job.id, job.delivery_count, job.lost_count)
            assert 1 == (await storage.stats()).popped

    abandoned = asyncio.new_event_loop()
    abandoned.set_exception_handler(lambda _loop, _context: None)  # of a pending task: it is the point
    asyncio.run(scene())


def test_a_cancelled_pop_ends_when_its_claim_cannot_be_undone_and_the_lease_runs_out(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with Proxy(server) as proxy, PostgresStorage(proxy.url(dsn)) as storage, asyncio.timeout(HANGS):

            def fail_the_undo(way: Way, piece: bytes) -> Fate:
                if way is Way.TO_CLIENT or b"deliveries - 1" not in piece:
                    return Fate.PASS
                proxy.accepts = False
                return Fate.CUT

            job_id = await storage.push(NewJobInfo("job", heartbeat_interval=timedelta(milliseconds=20)))
            proxy.rule = fail_the_undo
            await cancel_at_its_claim(storage, dsn)
            assert not proxy.accepts

            proxy.accepts = True
            job = await storage.pop("default", BOB)
            assert (job_id, 2, 1) == (job.id, job.delivery_count, job.lost_count)

    asyncio.run(scene())


def test_a_claim_is_not_undone_twice_since_the_job_may_have_its_next_holder(server: Server, dsn: str) -> None:
    async def scene() -> None:
        async with Proxy(server) as proxy, PostgresStorage(proxy.url(dsn)) as storage, asyncio.timeout(HANGS):
            undone: list[bytes] = []

            def lose_the_answer(way: Way, piece: bytes) -> Fate:
                if way is not Way.TO_CLIENT:
                    undone.extend([piece] * (b"deliveries - 1" in piece))
                    return Fate.PASS
                return Fate.CUT if undone and b"UPDATE 1" in piece else Fate.PASS

            job_id = await storage.push(NewJobInfo("job"))
            proxy.rule = lose_the_answer
            await cancel_at_its_claim(storage, dsn)
            assert 1 == len(undone)

            proxy.rule = lambda _way, _piece: Fate.PASS
            job = await storage.pop("default", ALICE)
            assert (job_id, 1, 0) == (job.id, job.delivery_count, job.lost_count)

    asyncio.run(scene())
