"""Where connections come from: the storage opens its own, or borrows from a pool of the user's.

Its own are opened, up to `size`, each when it is first needed, and tuned when they are opened. One that failed is
thrown away with all that lie idle, since most failures strike all of them. Where the server has no connection to spare,
those that are there are shared.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast
from urllib.parse import parse_qs, urlsplit

import asyncpg

from jobcore.postgres.statements import TUNING

if TYPE_CHECKING:
    from asyncpg import Connection, Pool, Record
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection: TypeAlias = Connection[Record] | PoolConnectionProxy[Record]

CONNECT = 10.0
"""Seconds that opening a connection may take."""
CLOSE = 2.0


class Source(Protocol):
    """What gives connections."""

    tuned: bool
    """Whether they have the settings of `TUNING`."""
    backends: set[int]
    """The processes of the server behind those that the storage itself has opened."""

    async def take(self) -> AnyConnection:
        """A connection for one statement or transaction, to be `put` back."""
        ...

    async def put(self, connection: AnyConnection, *, spoilt: bool) -> None:
        """Give back what `take` gave; if it is spoilt, to be thrown away."""
        ...

    async def connect(self) -> AnyConnection:
        """A connection to keep, for `give_back`."""
        ...

    async def give_back(self, connection: AnyConnection) -> None:
        """Let go of what `connect` gave."""
        ...

    async def close(self) -> None:
        """Let go of all that nobody uses."""
        ...


class Borrowed:
    """Connections of a pool of the user's, which stays open, and whose settings are the user's."""

    tuned = False

    def __init__(self, pool: Pool[Record]) -> None:
        self.backends: set[int] = set()
        self._pool = pool

    async def take(self) -> AnyConnection:
        """One of the pool's."""
        return await self._pool.acquire(timeout=CONNECT)

    async def put(self, connection: AnyConnection, *, spoilt: bool) -> None:
        """Back into the pool."""
        if spoilt:
            connection.terminate()
        await self.give_back(connection)

    async def connect(self) -> AnyConnection:
        """One of the pool's, for long."""
        return await self._pool.acquire(timeout=CONNECT)

    async def give_back(self, connection: AnyConnection) -> None:
        """Back into the pool."""
        await self._pool.release(cast("PoolConnectionProxy[Record]", connection), timeout=CLOSE)

    async def close(self) -> None:
        """Nothing: the pool is the user's."""


class Own:
    """Connections to the server of a URL; with `session`, each keeps its server process and settings while it is open.

    Without it, a pooler stands between, which gives every transaction another server process.
    """

    def __init__(self, url: str, size: int, *, session: bool) -> None:
        self.tuned = session
        self.backends: set[int] = set()
        self._url = url
        self._idle: list[Connection[Record]] = []
        self._lent = 0
        self._slots = asyncio.Semaphore(size)
        self._returned = asyncio.Event()

    async def take(self) -> AnyConnection:
        """An idle one, or a new one, or whichever comes back first."""
        await self._slots.acquire()
        try:
            connection = await self._idle_or_new()
        except BaseException:
            self._slots.release()
            raise
        self._lent += 1
        return connection

    async def put(self, connection: AnyConnection, *, spoilt: bool) -> None:
        """Back among the idle, or away with it and with them."""
        if spoilt:
            self._lose(connection)
        self._lent -= 1
        self._returned.set()
        self._slots.release()
        if not connection.is_closed():
            self._idle.append(cast("Connection[Record]", connection))

    async def connect(self) -> Connection[Record]:
        """A new one."""
        settings = {"application_name": "jobcore"}
        options: dict[str, Any] = {}
        if self.tuned:
            # A claim that meets a row which another one has changed goes on; above this level it would fail.
            settings |= TUNING | {"default_transaction_isolation": "read committed"}
            if "target_session_attrs" not in parse_qs(urlsplit(self._url).query):
                options["target_session_attrs"] = "read-write"  # of several hosts, the primary
        else:
            options["statement_cache_size"] = 0
        async with asyncio.timeout(CONNECT):
            connection: Connection[Record] = await asyncpg.connect(self._url, server_settings=settings, **options)
        backend = connection.get_server_pid()
        self.backends.add(backend)
        connection.add_termination_listener(lambda _: self.backends.discard(backend))
        return connection

    async def give_back(self, connection: AnyConnection) -> None:
        """Close it."""
        try:
            async with asyncio.timeout(CLOSE):  # its own timeout waits without end for a cancellation to be heard
                await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()

    async def close(self) -> None:
        """Close those that are idle."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*map(self.give_back, idle))

    async def _idle_or_new(self) -> Connection[Record]:
        while True:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
            self._returned.clear()
            try:
                return await self.connect()
            except asyncpg.TooManyConnectionsError:
                if not self._lent:
                    raise
            await self._returned.wait()

    def _lose(self, connection: AnyConnection) -> None:
        for lost in (connection, *self._idle):
            lost.terminate()
        self._idle.clear()
