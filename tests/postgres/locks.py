"""Statements that wait for the lock of another transaction."""

from __future__ import annotations

import asyncio

import asyncpg


async def blocked(dsn: str, number: int) -> None:
    """Until so many statements wait for a lock."""
    connection = await asyncpg.connect(dsn)
    while number > await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    ):
        await asyncio.sleep(0.01)
    await connection.close()
