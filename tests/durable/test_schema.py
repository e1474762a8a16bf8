"""The schema can be made by hand, and a file that others have made over is used as well as it can be."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

from jobcore import JobResult, NewJobInfo, ReturnJobInfo, SqliteStorage

if TYPE_CHECKING:
    from pathlib import Path

ME = UUID(int=1)


def schema_of(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        pragmas = [connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")]
        tables = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        return [*pragmas, connection.execute("PRAGMA auto_vacuum").fetchone(), *tables]


def test_the_schema_can_be_made_by_hand(path: Path) -> None:
    async def use(storage: SqliteStorage) -> None:
        async with storage:
            job_id = await storage.push(NewJobInfo("job"))
            assert job_id == (await storage.pop("default", ME)).id

    by_itself = path.with_name("by itself.db")
    asyncio.run(use(SqliteStorage(by_itself)))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SqliteStorage(path).migrations())
    assert schema_of(by_itself) == schema_of(path)
    asyncio.run(use(SqliteStorage(path, migrate=False)))


def test_a_file_whose_free_pages_cannot_be_given_back_is_used_and_closed_all_the_same(path: Path) -> None:
    async def fill() -> None:
        async with SqliteStorage(path) as storage:
            ids = await storage.push_many([NewJobInfo("job", "x" * 1_000)] * 2_000)
            await storage.complete_many([ReturnJobInfo(job_id, JobResult.DEAD) for job_id in ids])
            await storage.push(NewJobInfo("left"))

    async def pop() -> str:
        async with SqliteStorage(path) as storage:
            return (await storage.pop("default", ME)).name

    with closing(sqlite3.connect(path)) as connection:
        made = SqliteStorage(path).migrations()
        connection.executescript(made.replace("PRAGMA auto_vacuum = incremental;", ""))
    asyncio.run(fill())
    assert "left" == asyncio.run(pop())
