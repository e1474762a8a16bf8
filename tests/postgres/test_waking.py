"""Those who wait are told of what others do, by one notification for a batch; where nobody listens, they find it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from jobcore import JobResult, Linear, NewJobInfo, PostgresStorage, StorageUnavailable
from jobcore.postgres import claiming
from jobcore.postgres.statements import STEP
from jobcore.testing import FakeClock
from tests.postgres.proxy import Fate, Proxy, Way

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jobcore import JobInfo
    from tests.postgres.server import Server

ME = UUID(int=1)
YOU = UUID(int=2)


@pytest.fixture(autouse=True)
def _no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found by a poll, and not told, is found too late for a test."""
    monkeypatch.setattr(claiming, "POLL", 1000.0)


@asynccontextmanager
async def two(dsn: str, **options: Any) -> AsyncIterator[tuple[PostgresStorage, PostgresStorage]]:
    async with PostgresStorage(dsn, **options) as one, PostgresStorage(dsn) as other:
        yield one, other


async def listening(storage: PostgresStorage) -> None:
    claims: Any = storage._engine._claims  # type: ignore[attr-defined]
    async with asyncio.timeout(10):
        while not claims.listening:
            await asyncio.sleep(0.001)


async def waiting(storage: PostgresStorage, queue: str = "default") -> asyncio.Task[JobInfo]:
    popping = asyncio.create_task(storage.pop(queue, ME))
    await asyncio.sleep(0)
    await listening(storage)
    return popping


def test_what_another_process_does_wakes(dsn: str) -> None:
    async def run() -> None:
        async with two(dsn) as (here, there):
            popping = await waiting(here)
            await there.push(NewJobInfo("pushed"))
            job = await asyncio.wait_for(popping, 10)
            assert "pushed" == job.name
            await here.complete(job.returned(JobResult.SUCCESS, ME))

            await there.push(NewJobInfo("put back", backoff=Linear(0)))
            held = await there.pop("default", YOU)
            for result in (JobResult.UNEXECUTED, JobResult.FAILURE):
                popping = await waiting(here)
                await there.complete(held.returned(result, YOU))
                held = await asyncio.wait_for(popping, 10)
                await here.complete(held.returned(JobResult.UNEXECUTED, ME))
                held = await there.pop("default", YOU)
            await there.complete(held.returned(JobResult.SUCCESS, YOU))

            popping = await waiting(here)
            await there.push(NewJobInfo("scheduled", next_queue=timedelta(milliseconds=100)))
            assert "scheduled" == (await asyncio.wait_for(popping, 10)).name

    asyncio.run(run())


def test_a_lease_that_another_process_let_run_out_wakes(dsn: str) -> None:
    async def run() -> None:
        async with two(dsn) as (here, there):
            await there.push(NewJobInfo("job", heartbeat_interval=timedelta(milliseconds=20)))
            await there.pop("default", YOU)
            popping = await waiting(here)
            job = await asyncio.wait_for(popping, 10)
            assert (2, 1) == (job.delivery_count, job.lost_count)

    asyncio.run(run())


def test_a_burst_of_pushes_sends_few_notifications(dsn: str) -> None:
    async def run() -> None:
        heard: list[object] = []
        connection = await asyncpg.connect(dsn)
        async with PostgresStorage(dsn) as storage:
            await connection.add_listener("jobcore", lambda *news: heard.append(news))
            await storage.push_many([NewJobInfo("job")] * 1_000)
            for _ in range(10):
                await asyncio.gather(*(storage.push(NewJobInfo("job")) for _ in range(100)))
        await connection.fetch("SELECT 1")  # what was sent before has arrived then
        await connection.close()
        assert 1 <= len(heard) <= 500, "2,000 jobs were pushed"

    asyncio.run(run())


def test_a_job_that_somebody_has_locked_keeps_back_no_other(dsn: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        async with PostgresStorage(dsn) as storage:
            brief = timedelta(milliseconds=1)
            ids = [await storage.push(NewJobInfo("locked", heartbeat_interval=brief)) for _ in range(2)]
            held = await storage.pop("default", YOU)
            transaction = connection.transaction()
            await transaction.start()
            await connection.fetch("SELECT FROM jobcore.job WHERE id = ANY ($1) FOR UPDATE", ids)
            await asyncio.sleep(0.02)  # four times the lease that is locked now
            await storage.push(NewJobInfo("free", priority=-1))
            assert "free" == (await asyncio.wait_for(storage.pop("default", ME), 10)).name

            popping = asyncio.create_task(storage.pop_many("default", ME, 2))
            await asyncio.sleep(0)
            await listening(storage)
            await transaction.rollback()  # of which nobody is told
            jobs = await asyncio.wait_for(popping, 10)
            jobs += [] if len(jobs) == 2 else await asyncio.wait_for(storage.pop_many("default", ME, 2), 10)
            assert {held.id, *ids} == {job.id for job in jobs}
        await connection.close()

    asyncio.run(run())


def test_many_pushes_at_once_keep_their_times_and_their_ids(dsn: str) -> None:
    async def run() -> None:
        async with PostgresStorage(dsn) as storage:
            rest = timedelta(hours=1)
            ids = [UUID(int=number) for number in range(300)]
            await asyncio.gather(*(storage.push(NewJobInfo("rests", next_queue=rest)) for _ in range(300)))
            for _ in range(2):
                await asyncio.gather(*(storage.push(NewJobInfo("mine", id=job_id)) for job_id in ids))
            await asyncio.gather(*(storage.push(NewJobInfo("now")) for _ in range(300)))
            names = [job.name for job in await storage.pop_many("default", ME, 1_000)]
            assert ["mine"] * 300 + ["now"] * 300 == names

    asyncio.run(run())


def test_the_first_of_very_many_that_come_due_at_once_is_popped_first(dsn: str) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with PostgresStorage(dsn, clock=clock) as storage:
            rest = timedelta(seconds=1)
            await storage.push_many([NewJobInfo("first", next_queue=rest)] * (STEP + 10))
            await storage.push(NewJobInfo("last to come due", next_queue=rest + timedelta.resolution, priority=1))
            clock.skip(2)
            names = [job.name for job in await asyncio.wait_for(storage.pop_many("default", ME, 2), 10)]
            assert ["last to come due", "first"] == names

    asyncio.run(run())


def test_ten_thousand_waiters_are_served_by_as_many_jobs(dsn: str) -> None:
    async def run() -> None:
        async with PostgresStorage(dsn) as storage:
            popping = [asyncio.create_task(storage.pop("default", ME)) for _ in range(10_000)]
            await asyncio.sleep(0)
            ids = await storage.push_many([NewJobInfo("job")] * 10_000)
            assert set(ids) == {job.id for job in await asyncio.gather(*popping)}

    asyncio.run(run())


def test_a_poller_finds_what_nobody_tells_it(dsn: str) -> None:
    async def run() -> None:
        async with two(dsn, listen=False) as (here, there):
            popping = asyncio.create_task(here.pop("default", ME))
            await there.push(NewJobInfo("pushed"))
            assert "pushed" == (await asyncio.wait_for(popping, 10)).name
            assert await here.heartbeat_many([], ME) == []
            ids = await here.push_many([NewJobInfo("job")] * 500)
            jobs = await here.pop_many("default", ME, 500)
            assert ids == [job.id for job in jobs]
            assert {True} == {await here.complete(job.returned(JobResult.SUCCESS, ME)) for job in jobs[:10]}

    asyncio.run(run())


def test_a_pool_of_the_users_is_used_from_any_loop_and_left_open(dsn: str) -> None:
    async def run() -> None:
        async with asyncpg.create_pool(dsn, min_size=1, max_size=3) as pool:
            storage = PostgresStorage(pool)
            popping = await waiting(storage)
            await asyncio.to_thread(lambda: asyncio.run(storage.push(NewJobInfo("from another loop"))))
            job = await asyncio.wait_for(popping, 10)
            assert "from another loop" == job.name
            assert await storage.complete(job.returned(JobResult.SUCCESS, ME))
            assert 0 == (await storage.stats()).jobs
            await storage.aclose()
            await storage.aclose()
            assert 1 == await pool.fetchval("SELECT 1")

    asyncio.run(run())


def test_a_pool_of_the_users_gets_another_connection_for_one_that_broke(server: Server, dsn: str) -> None:
    async def run() -> None:
        async with Proxy(server) as proxy, asyncpg.create_pool(proxy.url(dsn), min_size=2, max_size=2) as pool:
            storage = PostgresStorage(pool, listen=False)
            await storage.push(NewJobInfo("first"))
            for _ in range(3):
                proxy.once(Fate.CUT, Way.TO_SERVER, b"cut off")
                with pytest.raises(StorageUnavailable):
                    await storage.push(NewJobInfo("cut off"))
            await storage.push(NewJobInfo("second"))
            names = [job.name for job in await asyncio.wait_for(storage.pop_many("default", ME, 9), 10)]
            assert ["first", "second"] == names
            await storage.aclose()
            async with asyncio.timeout(10), pool.acquire() as one, pool.acquire() as other:
                assert [1, 1] == [await one.fetchval("SELECT 1"), await other.fetchval("SELECT 1")]

    asyncio.run(run())


def test_what_is_no_url_and_no_pool_is_refused() -> None:
    wrong: Any
    for wrong in (None, 7, object()):
        with pytest.raises(TypeError, match="URL"):
            PostgresStorage(wrong)
    for wrong in ("", "jobs", "mysql://host/db"):
        with pytest.raises(ValueError, match="postgresql://"):
            PostgresStorage(wrong)
    with pytest.raises(ValueError, match="connections"):
        PostgresStorage("postgresql://host/db", connections=0)
