"""Connections: how a statement gets one, and what becomes of it when it fails.

A storage opens its own, up to `size`, each when it is first needed, and lends each to one statement or transaction at a
time. They are tuned (`TUNING`) when they are opened. A pool of the user's, and what lies behind a pooler, cannot keep
settings of ours, and a pooler may give each transaction another connection: there every statement becomes a transaction
that begins with the settings.

A connection that failed is thrown away with all that lie idle, since most failures strike all of them. Then what can be
repeated is repeated once, so that a restarted server or a cut connection is noticed only by those calls that may have
happened.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg

from jobcore.postgres.failures import is_conflict, is_lost
from jobcore.postgres.statements import TUNING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from asyncpg import Connection, Pool

T = TypeVar("T")

ANSWER = 30.0
"""Seconds after which the server is taken to be gone."""
CONNECT = 10.0
CLOSE = 2.0

_MOST_ATTEMPTS = 10
_SET_LOCAL = "".join(f"SET LOCAL {name} = '{value}';" for name, value in TUNING.items())


class Connections:
    """What runs statements. Only the loop of the engine calls it.

    `prepare` is awaited once before anything else runs; `on_loss` is called when a connection failed.
    """

    def __init__(self, source: str | Pool, size: int, *, session: bool) -> None:
        self.prepare: Callable[[Connection], Awaitable[None]]
        self.on_loss: Callable[[], None]
        self.backends: set[int] = set()
        """The processes of the server behind the connections that are open."""
        self._source = source
        self._tuned = session and isinstance(source, str)
        self._session = session
        self._size = size
        self._idle: list[Connection] = []
        self._lent_now = 0
        self._slots = asyncio.Semaphore(size)
        self._returned = asyncio.Event()
        self._preparing = asyncio.Lock()
        self._prepared = False

    async def run(
        self, act: Callable[[Connection], Awaitable[T]], *, transaction: bool = False, repeat: bool = True
    ) -> T:
        """What `act` gives on a connection, in a transaction of its own if it asks for one.

        With `repeat`, it is done again on another connection where one was lost in the middle. What the server rolled
        back because of a conflict with others is done again in any case.
        """
        for attempt in count(1):
            try:
                async with asyncio.timeout(ANSWER), self._lent() as connection:
                    if not self._prepared:
                        await self._prepare(connection)
                    if self._tuned and not transaction:
                        return await act(connection)
                    async with connection.transaction():
                        if not self._tuned:
                            await connection.execute(_SET_LOCAL)
                        return await act(connection)
            except Exception as error:
                if is_conflict(error) and attempt < _MOST_ATTEMPTS:
                    await asyncio.sleep(random.uniform(0, 0.002 * 2**attempt))  # noqa: S311  (no secret hangs on it)
                elif not (repeat and attempt == 1 and is_lost(error) and not isinstance(error, TimeoutError)):
                    raise
        raise AssertionError

    async def outside(self, statement: str, seconds: float) -> None:
        """Run a statement that no transaction may hold, such as VACUUM."""
        async with self._lent() as connection:
            await connection.execute(statement, timeout=seconds)

    async def connect(self) -> Connection:
        """A new connection to the server itself; the caller closes it."""
        if not isinstance(self._source, str):
            connection: Connection = await self._source.acquire(timeout=CONNECT)
            return connection
        options: dict[str, Any] = {"server_settings": {"application_name": "jobcore"}}
        if self._session:
            options["server_settings"] |= TUNING | {"default_transaction_isolation": "read committed"}
            if "target_session_attrs" not in parse_qs(urlsplit(self._source).query):
                options["target_session_attrs"] = "read-write"  # of several hosts, the primary
        else:
            options["statement_cache_size"] = 0
        async with asyncio.timeout(CONNECT):
            connection = await asyncpg.connect(self._source, **options)
        pid = connection.get_server_pid()
        self.backends.add(pid)
        connection.add_termination_listener(lambda _: self.backends.discard(pid))
        return connection

    async def give_back(self, connection: Connection) -> None:
        """Close a connection of `connect`."""
        if isinstance(self._source, str):
            await _closed(connection)
        else:
            await self._source.release(connection, timeout=CLOSE)

    async def close(self) -> None:
        """Close what lies idle; a pool of the user's stays open."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_closed(connection) for connection in idle))

    @asynccontextmanager
    async def _lent(self) -> AsyncGenerator[Connection]:
        if not isinstance(self._source, str):
            async with self._source.acquire(timeout=CONNECT) as connection:
                yield connection
            return
        async with self._slots:
            connection = await self._take()
            self._lent_now += 1
            try:
                yield connection
            except asyncpg.PostgresError as error:
                if is_lost(error):
                    self._lose(connection)
                raise
            except BaseException:
                self._lose(connection)  # in the middle of whatever
                raise
            finally:
                self._lent_now -= 1
                self._returned.set()
                if not connection.is_closed():
                    self._idle.append(connection)

    async def _take(self) -> Connection:
        while True:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
            self._returned.clear()
            try:
                return await self.connect()
            except asyncpg.TooManyConnectionsError:
                if not self._lent_now:
                    raise
            await self._returned.wait()  # the server has no more for us: share those that we have

    def _lose(self, connection: Connection) -> None:
        for lost in (connection, *self._idle):
            lost.terminate()
        self._idle.clear()
        self._prepared = False
        self.on_loss()

    async def _prepare(self, connection: Connection) -> None:
        async with self._preparing:
            if not self._prepared:
                await self.prepare(connection)
                self._prepared = True


async def _closed(connection: Connection) -> None:
    try:
        await connection.close(timeout=CLOSE)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
