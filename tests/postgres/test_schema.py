"""The schema makes itself, is pleasant to look at, and what cannot be used is refused in clear words."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from jobcore import JobResult, NewJobInfo, PostgresStorage, StorageUnavailable
from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres.server import Server

ME = UUID(int=1)


async def sql(dsn: str, *statements: str) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    rows: list[Any] = []
    for statement in statements:
        rows = await connection.fetch(statement)
    await connection.close()
    return rows


async def use(dsn: str, **options: Any) -> int:
    async with PostgresStorage(dsn, **options) as storage:
        await storage.push(NewJobInfo("job"))
        return (await storage.stats()).jobs


def test_a_schema_is_made_once_and_kept(dsn: str) -> None:
    assert 1 == asyncio.run(use(dsn))
    assert 2 == asyncio.run(use(dsn, migrate=False))
    assert 1 == asyncio.run(use(dsn, schema="another"))


def test_the_first_calls_may_come_at_once(dsn: str) -> None:
    async def run() -> None:
        storage = PostgresStorage(dsn)
        *ids, info, _ = await asyncio.gather(
            *(storage.push(NewJobInfo("job", queue=queue)) for queue in "ab"), storage.info(ME), storage.stats()
        )
        assert info is None
        assert 2 == (await storage.stats()).jobs == len(ids)
        await storage.aclose()

    asyncio.run(run())


def test_a_database_that_could_not_keep_every_job_is_refused(server: Server) -> None:
    async def run() -> None:
        dsn = server.dsn("latin")
        await sql(server.dsn(), "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        for storage in (PostgresStorage(dsn), PostgresStorage(dsn, migrate=False)):
            with pytest.raises(StorageUnavailable, match="encoding of the database is not UTF8"):
                await storage.push(NewJobInfo("job"))
            await storage.aclose()
        assert [] == await sql(dsn, "SELECT FROM pg_namespace WHERE nspname = 'jobcore'")
        server.drop_database(dsn)

    asyncio.run(run())


def test_without_migrate_the_command_is_named_that_makes_the_schema(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="jobcore migrate"):
        asyncio.run(use(dsn, migrate=False))
    code, output = Shell(tmp_path).run("migrate", dsn)
    assert 0 == code, output
    assert 1 == asyncio.run(use(dsn, migrate=False))


def test_the_schema_can_be_made_by_hand(dsn: str, tmp_path: Path) -> None:
    code, printed = Shell(tmp_path).run("migrate", "--print", dsn)
    assert 0 == code, printed

    async def run() -> int:
        connection = await asyncpg.connect(dsn)
        await connection.execute(printed)
        await connection.close()
        return await use(dsn, migrate=False)

    assert 1 == asyncio.run(run())


def test_a_newer_schema_is_refused(dsn: str) -> None:
    async def run() -> None:
        await use(dsn)
        await sql(dsn, "INSERT INTO jobcore.migration VALUES (1000)")
        with pytest.raises(StorageUnavailable, match="version 1000"):
            await use(dsn)

    asyncio.run(run())


def test_the_tables_of_somebody_else_are_left_alone(dsn: str) -> None:
    async def run() -> None:
        await sql(dsn, "CREATE SCHEMA taken", "CREATE TABLE taken.job (id int)")
        with pytest.raises(StorageUnavailable, match="something else"):
            await use(dsn, schema="taken")
        assert [] == await sql(dsn, "SELECT * FROM taken.job")

    asyncio.run(run())


def test_a_name_that_is_no_plain_one_is_refused() -> None:
    for name in ("", "Jobs", "a b", 'a"b', "1st", "x" * 64):
        with pytest.raises(ValueError, match="schema"):
            PostgresStorage("postgresql://host/db", schema=name)


def test_the_views_show_every_state(dsn: str) -> None:
    async def states() -> dict[str, Any]:
        async with PostgresStorage(dsn) as storage:
            await storage.push(NewJobInfo("running"))
            await storage.pop("default", ME)
            await storage.push(NewJobInfo("failed", {"a": 1}))
            job = await storage.pop("default", ME)
            await storage.complete(job.returned(JobResult.FAILURE, ME, error="broken"))
            await storage.push(NewJobInfo("ready", priority=-1))
            return {row["name"]: row for row in await sql(dsn, "SELECT * FROM jobcore.jobs")}

    rows = asyncio.run(states())
    assert {"running": "running", "failed": "scheduled", "ready": "ready"} == {
        name: row["state"] for name, row in rows.items()
    }
    assert ("broken", 1, '{"a":1}') == tuple(rows["failed"][name] for name in ("last_error", "retry_count", "args"))
    assert (ME, timedelta(seconds=5)) == tuple(rows["running"][name] for name in ("runner_id", "heartbeat_interval"))
    ((*gauges,),) = asyncio.run(sql(dsn, "SELECT jobs, ready, scheduled, running, lost FROM jobcore.queues"))
    assert [3, 1, 1, 1, 0] == gauges
