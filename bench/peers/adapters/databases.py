"""What the peers on PostgreSQL share: looking into a database from beside."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

_connections: dict[tuple[str, asyncio.AbstractEventLoop], Any] = {}


async def _fetch(url: str, query: str) -> int:
    import asyncpg

    key = url, asyncio.get_running_loop()
    if key not in _connections:
        _connections[key] = await asyncpg.connect(url)
    return int(await _connections[key].fetchval(query))


async def count_rows(url: str, table: str, condition: str = "true") -> int:
    """How many rows there are; 1 stands for any number, so that looking takes no time."""
    return await _fetch(url, f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {condition} LIMIT 1) AS one")


async def database_size(url: str) -> int:
    """Bytes on the disk."""
    return await _fetch(url, f"SELECT pg_database_size('{urlsplit(url).path.lstrip('/')}')")
