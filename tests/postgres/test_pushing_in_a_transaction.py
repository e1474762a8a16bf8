"""A job that is pushed on the user's own connection is there if and only if the user's transaction commits."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from jobcore import App, InvalidJob, NewJobInfo, PostgresStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ME = UUID(int=1)
KINDS = ["asyncpg", "asyncpg pool", "psycopg", "sqlalchemy asyncpg", "sqlalchemy psycopg", "sqlalchemy session"]


@asynccontextmanager
async def transaction(kind: str, dsn: str) -> AsyncIterator[Any]:
    """A connection of this kind, in a transaction that commits unless the body raises."""
    if kind == "asyncpg":
        plain = await asyncpg.connect(dsn)
        try:
            async with plain.transaction():
                yield plain
        finally:
            await plain.close()
    elif kind == "asyncpg pool":
        async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool, pool.acquire() as lent, lent.transaction():
            yield lent
    elif kind == "psycopg":
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            yield connection
    else:
        driver = "psycopg" if kind.endswith("psycopg") else "asyncpg"
        engine = create_async_engine(dsn.replace("postgresql://", f"postgresql+{driver}://"))
        try:
            if kind.endswith("session"):
                async with AsyncSession(engine) as session, session.begin():
                    yield session
            else:
                async with engine.begin() as connection:
                    yield connection
        finally:
            await engine.dispose()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_commit_makes_it_appear_and_wakes_those_who_wait(kind: str, dsn: str) -> None:
    async def run() -> None:
        async with PostgresStorage(dsn) as storage:
            popping = asyncio.create_task(storage.pop("default", ME))
            async with transaction(kind, dsn) as connection:
                job_id = await storage.push(NewJobInfo("job", {"a": ["é", None]}), connection=connection)
                later = NewJobInfo("later", next_queue=timedelta(hours=1), id=UUID(int=7))
                assert [UUID(int=7)] == await storage.push_many([later], connection=connection)
                assert await storage.info(job_id) is None
            job = await asyncio.wait_for(popping, 10)
            assert (job_id, {"a": ["é", None]}) == (job.id, job.args)
            scheduled = await storage.info(UUID(int=7))
            assert scheduled is not None
            assert timedelta(minutes=59) < scheduled.next_queue - job.next_queue < timedelta(minutes=61)

    asyncio.run(run())


def test_a_rollback_leaves_nothing(kind: str, dsn: str) -> None:
    async def run() -> None:
        async with PostgresStorage(dsn) as storage:
            with suppress(ZeroDivisionError):
                async with transaction(kind, dsn) as connection:
                    await storage.push(NewJobInfo("job", id=UUID(int=7)), connection=connection)
                    raise ZeroDivisionError
            assert await storage.info(UUID(int=7)) is None
            assert 0 == (await storage.stats()).jobs

    asyncio.run(run())


def test_an_empty_batch_leaves_the_transaction_as_it_is(dsn: str) -> None:
    async def run() -> None:
        async with PostgresStorage(dsn) as storage:
            async with transaction("asyncpg", dsn) as connection:
                assert [] == await storage.push_many([], connection=connection)
                await storage.push(NewJobInfo("job"), connection=connection)
            assert 1 == (await storage.stats()).jobs

    asyncio.run(run())


def test_typed_jobs_take_a_connection_too(dsn: str) -> None:
    async def run() -> None:
        storage = PostgresStorage(dsn)
        app = App(storage)

        @app.job
        async def welcome(name: str) -> None:
            raise NotImplementedError(name)

        async with storage:
            async with transaction("asyncpg", dsn) as connection:
                await welcome.options(connection=connection).push("Ada")
                await welcome.options(connection=connection).push_many([("Bob",), {"name": "Carol"}])
            names = [job.args["name"] for job in await storage.pop_many("default", ME, 3)]
            assert ["Ada", "Bob", "Carol"] == names

    asyncio.run(run())


def test_what_is_no_connection_is_refused(dsn: str) -> None:
    async def run() -> None:
        async with PostgresStorage(dsn) as storage:
            with pytest.raises(InvalidJob, match="asyncpg or psycopg"):
                await storage.push(NewJobInfo("job"), connection=object())

    asyncio.run(run())
