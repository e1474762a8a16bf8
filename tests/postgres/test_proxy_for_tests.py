from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.postgres.proxy import Fate, Proxy, Way

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres.server import Server

GONE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)


@contextlib.asynccontextmanager
async def connected(server: Server, dsn: str) -> AsyncIterator[tuple[Proxy, asyncpg.Connection]]:
    async with Proxy(server) as proxy:
        connection = await asyncpg.connect(proxy.url(dsn))
        await connection.execute("CREATE TABLE made (number int)")
        try:
            yield proxy, connection
        finally:
            connection.terminate()


def test_a_piece_that_is_cut_off_did_not_happen(server: Server, dsn: str) -> None:
    async def play() -> None:
        async with connected(server, dsn) as (proxy, connection):
            proxy.once(Fate.CUT, Way.TO_SERVER, b"INSERT")
            with pytest.raises(GONE):
                await connection.execute("INSERT INTO made VALUES (1)")
            again = await asyncpg.connect(proxy.url(dsn))
            assert [] == await again.fetch("SELECT * FROM made")
            await again.close()

    asyncio.run(play())


def test_an_answer_that_is_cut_off_did_happen(server: Server, dsn: str) -> None:
    async def play() -> None:
        async with connected(server, dsn) as (proxy, connection):
            proxy.once(Fate.CUT, Way.TO_CLIENT, b"INSERT 0 1")
            with pytest.raises(GONE):
                await connection.execute("INSERT INTO made VALUES (1)")
            again = await asyncpg.connect(proxy.url(dsn))
            assert 1 == await again.fetchval("SELECT count(*) FROM made")
            await again.close()

    asyncio.run(play())


def test_what_is_swallowed_is_never_answered(server: Server, dsn: str) -> None:
    async def play() -> None:
        async with connected(server, dsn) as (proxy, connection):
            proxy.rule = lambda _way, _piece: Fate.SWALLOW
            with pytest.raises(TimeoutError):
                await connection.fetchval("SELECT 1", timeout=0.1)
            assert proxy.connections

    asyncio.run(play())


def test_a_connection_that_is_half_closed_ends_for_the_client(server: Server, dsn: str) -> None:
    async def play() -> None:
        async with connected(server, dsn) as (proxy, connection):
            proxy.once(Fate.END, Way.TO_CLIENT, b"SELECT 1")  # the tag of the answer
            with pytest.raises(GONE):
                await connection.fetch("SELECT 1")

    asyncio.run(play())


def test_new_connections_are_refused(server: Server, dsn: str) -> None:
    async def play() -> None:
        async with Proxy(server) as proxy:
            proxy.accepts = False
            with pytest.raises(GONE):
                await asyncpg.connect(proxy.url(dsn))

    asyncio.run(play())
