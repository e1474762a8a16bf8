"""Storages of their own on one server, and how a test waits until nothing is under way in one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg

from jobcore import PostgresStorage
from jobcore.postgres import claiming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jobcore.testing import FakeClock


@asynccontextmanager
async def new_storage(dsn: str, clock: FakeClock, **options: Any) -> AsyncIterator[PostgresStorage]:
    """A storage in a schema of its own, which goes with it."""
    schema = f"test_{uuid4().hex}"
    try:
        async with PostgresStorage(dsn, schema=schema, clock=clock, **options) as storage:
            yield storage
    finally:
        connection = await asyncpg.connect(dsn)
        await connection.execute(f"SET client_min_messages = warning; DROP SCHEMA IF EXISTS {schema} CASCADE")
        await connection.close()


async def quiet(storage: PostgresStorage) -> None:
    """Wait until everything that was begun has been done, a look at a clock that was moved included."""
    engine: Any = storage._engine
    for _ in range(2):
        await asyncio.sleep(claiming.GLANCE * 1.5)
        while engine._inbox or engine._tasks or not engine._claims.quiet:
            await asyncio.sleep(claiming.GLANCE / 5)
    await asyncio.sleep(0)
