"""Others on the same server: locks, deadlocks, isolation, no connection left. Calls succeed, or say why not."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from jobcore import JobResult, NewJobInfo, PostgresStorage, StorageUnavailable
from tests.postgres.load import Load, check
from tests.postgres.locks import blocked
from tests.postgres.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres.server import Installation

RUNNER = uuid4()
HANGS = 60.0
"""Seconds after which a scene counts as one that hangs; it ends long before."""


@pytest.fixture
def small_server(installation: Installation) -> Iterator[Server]:
    with Server(installation, fsync="off", max_connections="8", superuser_reserved_connections="2") as running:
        yield running


async def at_level(dsn: str, level: str) -> None:
    connection = await asyncpg.connect(dsn)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    await connection.close()


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
@pytest.mark.parametrize("listen", [True, False], ids=["own connections", "behind a pooler"])
def test_a_database_with_a_stricter_isolation_changes_nothing(dsn: str, level: str, listen: bool) -> None:  # noqa: FBT001
    async def scene() -> None:
        await at_level(dsn, level)
        journal: list[str] = []
        async with AsyncExitStack() as stack:
            storages = [await stack.enter_async_context(PostgresStorage(dsn, listen=listen)) for _ in range(3)]
            async with asyncio.timeout(HANGS):
                await asyncio.gather(
                    *(
                        Load(storage, seed, lambda *facts: journal.append(" ".join(map(str, facts)))).run(
                            asyncio.sleep(0.7)
                        )
                        for seed, storage in enumerate(storages)
                    )
                )
        check(journal, left=())

    asyncio.run(scene())


@pytest.mark.parametrize("level", ["read committed", "serializable"])
@pytest.mark.parametrize("pools", [True, False])
def test_many_that_open_at_once_make_one_schema(dsn: str, level: str, pools: bool) -> None:  # noqa: FBT001
    async def scene() -> None:
        await at_level(dsn, level)
        async with AsyncExitStack() as stack:
            storages = []
            for _ in range(8):
                pool = await stack.enter_async_context(asyncpg.create_pool(dsn, min_size=1, max_size=2))
                storages.append(PostgresStorage(pool if pools else dsn))
                stack.push_async_callback(storages[-1].aclose)
            await asyncio.gather(*(storage.push(NewJobInfo("job")) for storage in storages))
            assert 8 == (await storages[0].stats()).jobs

    asyncio.run(scene())


def test_the_victim_of_a_deadlock_does_it_again(dsn: str) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn) as storage, asyncio.timeout(HANGS):
            ids = sorted(await storage.push_many([NewJobInfo("job") for _ in range(2)]))
            held = await storage.pop_many("default", RUNNER, 2)
            other = await asyncpg.connect(dsn)
            for _ in range(3):
                async with other.transaction():
                    # It waits for longer than it takes to find out about a deadlock, so the storage is the victim.
                    await other.execute("SET LOCAL deadlock_timeout = '1min'")
                    await other.execute("SELECT FROM jobcore.job WHERE id = $1 FOR UPDATE", ids[1])
                    keeping = asyncio.create_task(storage.heartbeat_many(held, RUNNER))
                    await blocked(dsn, 1)
                    await other.execute("SELECT FROM jobcore.job WHERE id = $1 FOR UPDATE", ids[0])
                assert [] == await keeping
            await other.close()

    asyncio.run(scene())


def test_a_job_that_somebody_has_locked_is_passed_over_and_popped_when_it_is_free(dsn: str) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn) as storage, asyncio.timeout(HANGS):
            first, second = await storage.push_many([NewJobInfo("job") for _ in range(2)])
            other = await asyncpg.connect(dsn)
            async with other.transaction():
                await other.execute("SELECT FROM jobcore.job WHERE id = $1 FOR UPDATE", first)
                assert second == (await storage.pop("default", RUNNER)).id
                waiting = asyncio.create_task(storage.pop("default", RUNNER))
                assert not (await asyncio.wait([waiting], timeout=0.1))[0]
            assert first == (await waiting).id
            await other.close()

    asyncio.run(scene())


def test_a_locked_table_lets_every_call_wait(dsn: str) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn) as storage, asyncio.timeout(HANGS):
            await storage.push_many([NewJobInfo("job") for _ in range(2)])
            job, kept = await storage.pop_many("default", RUNNER, 2)
            other = await asyncpg.connect(dsn)
            async with other.transaction():
                await other.execute("LOCK TABLE jobcore.job")
                calls = [
                    asyncio.ensure_future(storage.push(NewJobInfo("job"))),
                    asyncio.ensure_future(storage.heartbeat(kept.id, RUNNER)),
                    asyncio.ensure_future(storage.complete(job.returned(JobResult.SUCCESS, RUNNER))),
                ]
                await blocked(dsn, 3)
            await asyncio.gather(*calls)
            await other.close()

    asyncio.run(scene())


def test_a_server_that_cancels_what_takes_long_is_told_of(dsn: str) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn) as storage, asyncio.timeout(HANGS):
            await storage.push(NewJobInfo("job"))
            other = await asyncpg.connect(dsn)
            name = await other.fetchval("SELECT current_database()")
            await other.execute(f"ALTER DATABASE {name} SET statement_timeout = '100ms'")
            async with PostgresStorage(dsn) as hurried:
                async with other.transaction():
                    await other.execute("LOCK TABLE jobcore.job")
                    with pytest.raises(StorageUnavailable, match="statement timeout"):
                        await hurried.push(NewJobInfo("job"))
                await hurried.push(NewJobInfo("job"))
            await other.close()

    asyncio.run(scene())


def test_a_storage_shares_the_connections_that_a_full_server_has_left(small_server: Server) -> None:
    async def scene() -> None:
        setup = await asyncpg.connect(small_server.dsn())
        await setup.execute("CREATE ROLE somebody LOGIN; GRANT CREATE ON DATABASE postgres TO somebody")
        dsn = small_server.dsn(user="somebody")
        async with PostgresStorage(dsn, listen=False) as storage, asyncio.timeout(HANGS):
            others = await taken(dsn)
            await asyncio.gather(
                *(storage.push(NewJobInfo("job")) for _ in range(20)), storage.stats(), storage.stats()
            )
            jobs = [await storage.pop("default", RUNNER) for _ in range(20)]
            await asyncio.gather(*(storage.complete(job.returned(JobResult.SUCCESS, RUNNER)) for job in jobs))
            for other in others:
                await other.close()
        await setup.close()

    asyncio.run(scene())


def test_a_full_server_is_told_of_and_used_when_it_has_room(small_server: Server) -> None:
    async def scene() -> None:
        setup = await asyncpg.connect(small_server.dsn())
        await setup.execute("CREATE ROLE somebody LOGIN; GRANT CREATE ON DATABASE postgres TO somebody")
        dsn = small_server.dsn(user="somebody")
        others = await taken(dsn)
        storage = PostgresStorage(dsn)
        async with asyncio.timeout(HANGS):
            with pytest.raises(StorageUnavailable, match="raise max_connections, or open the storages with fewer"):
                await storage.push(NewJobInfo("job"))
            with pytest.raises(StorageUnavailable):
                await storage.pop("default", RUNNER)
            await closed(others, setup)
            await storage.push(NewJobInfo("job"))
            assert "job" == (await storage.pop("default", RUNNER)).name
            await storage.aclose()
        await setup.close()

    asyncio.run(scene())


async def taken(dsn: str) -> list[asyncpg.Connection[Any]]:
    """All connections that the server has left for this role."""
    connections: list[asyncpg.Connection[Any]] = []
    while True:
        try:
            connections.append(await asyncpg.connect(dsn))
        except asyncpg.TooManyConnectionsError:
            return connections


async def closed(connections: list[asyncpg.Connection[Any]], setup: asyncpg.Connection[Any]) -> None:
    """Close these, and wait until the server has none of them any more."""
    pids = [connection.get_server_pid() for connection in connections]
    for connection in connections:
        await connection.close()
    while await setup.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)", pids):
        await asyncio.sleep(0.01)


def test_a_server_that_takes_no_writes_is_told_of(dsn: str) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn) as storage:
            await storage.push(NewJobInfo("job"))
            setup = await asyncpg.connect(dsn)
            name = await setup.fetchval("SELECT current_database()")
            await setup.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            for source in (dsn, f"{dsn}&target_session_attrs=any"):
                async with asyncio.timeout(HANGS):
                    with pytest.raises(StorageUnavailable, match="standby"):
                        await PostgresStorage(source).push(NewJobInfo("job"))
            await setup.close()

    asyncio.run(scene())


def test_heartbeats_of_long_jobs_outlast_a_queue_that_is_busy(dsn: str) -> None:
    async def scene() -> None:
        interval = timedelta(milliseconds=200)
        async with PostgresStorage(dsn, connections=1) as storage, asyncio.timeout(HANGS):
            await storage.push(NewJobInfo("long", queue="long", heartbeat_interval=interval))
            long = await storage.pop("long", RUNNER)

            async def crowd() -> None:
                for _ in range(3):
                    await storage.push_many([NewJobInfo("short") for _ in range(2000)])
                    jobs = await storage.pop_many("default", RUNNER, 2000)
                    await storage.complete_many([job.returned(JobResult.SUCCESS, RUNNER) for job in jobs])

            crowding = asyncio.create_task(crowd())
            while not crowding.done():
                await storage.heartbeat(long.id, RUNNER, long.delivery_count)
                await asyncio.wait([crowding], timeout=interval.total_seconds())
            await crowding
            await storage.complete(long.returned(JobResult.SUCCESS, RUNNER))

    asyncio.run(scene())


def test_nobody_gets_the_id_of_another_schema(dsn: str) -> None:
    async def scene() -> None:
        async with PostgresStorage(dsn, schema="one") as one, PostgresStorage(dsn, schema="two") as two:
            job_id = await one.push(NewJobInfo("job", id=UUID(int=1)))
            assert await two.info(job_id) is None
            waiting = asyncio.create_task(two.pop("default", RUNNER))
            await one.push(NewJobInfo("job"))
            assert not (await asyncio.wait([waiting], timeout=0.1))[0]
            await two.push(NewJobInfo("mine"))
            assert "mine" == (await waiting).name

    asyncio.run(scene())
