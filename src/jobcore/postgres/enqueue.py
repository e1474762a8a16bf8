"""Pushing inside a transaction of the user's: the job is there if and only if that transaction commits.

The statement runs on the user's own connection, so on the user's loop, whichever library it is of. The jobs become
visible, and those who wait are told, when the transaction commits.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from jobcore.errors import InvalidJobType

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = "a connection of asyncpg or psycopg (async), or an AsyncConnection or AsyncSession of SQLAlchemy"


async def enqueue(connection: object, statement: str, values: Sequence[object]) -> int:
    """Run the statement of a push on this connection; how many jobs were new."""
    kind = _kind(connection)
    target: Any = connection
    record: Any
    if kind == "asyncpg":
        record = await target.fetchrow(statement, *values)
    elif kind == "psycopg":
        from psycopg import AsyncRawCursor  # noqa: PLC0415  (it is there, since the connection is one of its own)

        async with AsyncRawCursor(target) as cursor:
            await cursor.execute(statement.encode(), values)
            record = await cursor.fetchone()
    else:
        from sqlalchemy import text  # noqa: PLC0415  (as above)

        named = text(re.sub(r"\$(\d+)::(\w+(?:\[\])?)", r"CAST(:p\1 AS \2)", statement))
        result = await target.execute(named, {f"p{number}": value for number, value in enumerate(values, 1)})
        record = result.one()
    return int(record[0])


def _kind(connection: object) -> str:
    """Which library the connection is of; it need not be installed otherwise."""
    for kind, module, names in (
        ("asyncpg", "asyncpg", ("Connection",)),
        ("asyncpg", "asyncpg.pool", ("PoolConnectionProxy",)),
        ("psycopg", "psycopg", ("AsyncConnection",)),
        ("sqlalchemy", "sqlalchemy.ext.asyncio", ("AsyncConnection", "AsyncSession", "async_scoped_session")),
    ):
        if (loaded := sys.modules.get(module)) is not None and isinstance(
            connection, tuple(getattr(loaded, name) for name in names)
        ):
            return kind
    raise InvalidJobType("connection", KINDS, connection)
