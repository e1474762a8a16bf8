"""How a statement is run: on a connection of the source, again where it may be, and for no longer than `ANSWER`.

Connections of the storage's own are tuned (`TUNING`). A pool of the user's cannot keep settings of ours, and a pooler
may give each transaction another connection: there every statement becomes a transaction that begins with them.

What was cut off may have happened or not. What can be repeated is repeated once, on another connection, so that a
restarted server or a cut connection is noticed only by those who push, which might put a job there twice.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from jobcore.postgres.failures import is_conflict, is_lost, spoils
from jobcore.postgres.statements import TUNING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from jobcore.postgres.sources import AnyConnection, Source

T = TypeVar("T")

ANSWER = 30.0
"""Seconds after which the server is taken to be gone."""

_MOST_ATTEMPTS = 10
_SET_LOCAL = "".join(f"SET LOCAL {name} = '{value}';" for name, value in TUNING.items())


class Connections:
    """What runs statements. Only the loop of the engine calls it.

    `prepare` is awaited before anything else runs, and again after a loss; `on_loss` is called when a connection was
    lost.
    """

    def __init__(self, source: Source, prepare: Callable[[AnyConnection], Awaitable[None]]) -> None:
        self.source = source
        self.on_loss: Callable[[], None] = lambda: None
        self._prepare = prepare
        self._preparing = asyncio.Lock()
        self._prepared = False

    async def run(
        self, act: Callable[[AnyConnection], Awaitable[T]], *, transaction: bool = False, repeat: bool = True
    ) -> T:
        """What `act` gives on a connection, in a transaction of its own if it asks for one.

        With `repeat`, it is done again where its connection was lost. What the server rolled back because of a conflict
        with others is done again in any case.
        """
        for attempt in count(1):
            try:
                async with asyncio.timeout(ANSWER):
                    return await self._run_once(act, transaction=transaction)
            except Exception as error:
                if is_conflict(error) and attempt < _MOST_ATTEMPTS:
                    await asyncio.sleep(random.uniform(0, 0.002 * 2**attempt))  # noqa: S311  (no secret hangs on it)
                    continue
                if is_lost(error):
                    self._prepared = False
                    self.on_loss()
                    if repeat and attempt == 1 and not isinstance(error, TimeoutError):
                        continue
                raise
        raise AssertionError

    async def _run_once(self, act: Callable[[AnyConnection], Awaitable[T]], *, transaction: bool) -> T:
        async with self.source.lend() as connection:
            if not self._prepared:
                async with self._preparing:
                    if not self._prepared:
                        await self._prepare(connection)
                        self._prepared = True
            if self.source.tuned and not transaction:
                return await act(connection)
            async with _transaction(connection):
                if not self.source.tuned:
                    await connection.execute(_SET_LOCAL)
                return await act(connection)

    async def outside(self, statement: str, seconds: float) -> None:
        """Run a statement that no transaction may hold, such as VACUUM."""
        async with self.source.lend() as connection:
            await connection.execute(statement, timeout=seconds)


@asynccontextmanager
async def _transaction(connection: AnyConnection) -> AsyncGenerator[None]:
    """A transaction that is not rolled back on a connection that is of no use: it would never be answered."""
    transaction = connection.transaction(isolation="read_committed")
    await transaction.start()
    try:
        yield
    except BaseException as error:
        if not spoils(error):
            await transaction.rollback()
        raise
    await transaction.commit()
