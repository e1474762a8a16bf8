"""A role gets by with what the documentation grants it, and is told what it lacks."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from jobcore import NewJobInfo, PostgresStorage, StorageUnavailable
from jobcore.postgres import housekeeping
from tests.postgres.load import Load, check

RUNNER = uuid4()
PAGE = Path(__file__).parents[2] / "docs/postgres.md"

if not PAGE.exists():
    pytest.skip("the documentation is in the repository, not beside an installed wheel", allow_module_level=True)

DOCUMENTED = next(
    block for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if "GRANT" in block
)


async def role(dsn: str, grants: str) -> str:
    """The URL of a new role that has these, on tables that another one has made."""
    async with PostgresStorage(dsn):
        pass
    name = f"role_{uuid4().hex}"
    owner = await asyncpg.connect(dsn)
    await owner.execute(f"CREATE ROLE {name} LOGIN; {grants.replace('worker', name)}")
    await owner.close()
    return dsn.replace("postgres@", f"{name}@")


async def drop(dsn: str) -> None:
    name = dsn.partition("//")[2].partition("@")[0]
    owner = await asyncpg.connect(dsn.replace(f"{name}@", "postgres@"))
    await owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
    await owner.close()


def test_a_worker_needs_what_is_documented(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "OFTEN", 50)

    async def scene() -> None:
        url = await role(dsn, DOCUMENTED)
        journal: list[str] = []
        async with PostgresStorage(url) as storage:
            await storage.push_many([NewJobInfo("job", queue="two") for _ in range(1000)])
            await Load(storage, 1, lambda *facts: journal.append(" ".join(map(str, facts)))).run(asyncio.sleep(0.5))
        assert check(journal, left=()) > 10
        await drop(url)

    asyncio.run(scene())


def test_who_only_pushes_needs_less(dsn: str) -> None:
    async def scene() -> None:
        url = await role(dsn, DOCUMENTED.replace(", UPDATE, DELETE", ""))
        async with PostgresStorage(url) as storage:
            job_id = await storage.push(NewJobInfo("job"))
            await storage.push_many([NewJobInfo("job") for _ in range(1000)])
            assert job_id == await storage.push(NewJobInfo("job", id=job_id))
            with pytest.raises(StorageUnavailable, match="see what the role of a worker needs"):
                await storage.pop("default", RUNNER)
        await drop(url)

    asyncio.run(scene())


def test_who_may_not_make_the_tables_is_told_who_does(dsn: str) -> None:
    async def scene() -> None:
        url = await role(dsn, "")
        with pytest.raises(StorageUnavailable, match="run as one that may: jobcore migrate URL"):
            await PostgresStorage(url, schema="another").push(NewJobInfo("job"))
        await drop(url)

    asyncio.run(scene())


def test_who_may_not_even_look_at_the_schema_is_told_so(dsn: str) -> None:
    async def scene() -> None:
        url = await role(dsn, "")
        with pytest.raises(StorageUnavailable, match="permission denied for schema jobcore"):
            await PostgresStorage(url).push(NewJobInfo("job"))
        await drop(url)

    asyncio.run(scene())


def test_a_schema_of_its_own_is_enough_to_make_the_tables(dsn: str) -> None:
    async def scene() -> None:
        url = await role(dsn, "CREATE SCHEMA mine AUTHORIZATION worker")
        async with PostgresStorage(url, schema="mine") as storage:
            await storage.push(NewJobInfo("job"))
        await drop(url)

    asyncio.run(scene())
