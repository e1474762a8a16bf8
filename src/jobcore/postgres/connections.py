"""How a statement is run: on a connection of the source, again where it may be, and for no longer than `ANSWER`.

Connections of the storage's own are tuned (`TUNING`). A pool of the user's cannot keep settings of ours, and a pooler
may give each transaction another connection: there every statement becomes a transaction that begins with them.

What was cut off may have happened or not. What can be repeated is repeated once, on another connection, so that a
restarted server or a cut connection is noticed only where that might put a job there twice, or put it back twice: by
those who push, and by those who put back without naming their delivery.

One timer watches over all statements: whatever it finds to have taken longer than `ANSWER` loses its connection, which
ends it. A timer for each would be the half of what a lone statement costs, since they pile up until they are due.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, TypeVar

from jobcore.postgres.failures import is_conflict, is_lost, spoils
from jobcore.postgres.statements import TUNING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
        self._under_way: dict[AnyConnection, float] = {}
        """Since when, the longest first."""
        self._watchdog: asyncio.TimerHandle | None = None

    async def run(
        self, act: Callable[[AnyConnection], Awaitable[T]], *, transaction: bool = False, repeat: bool = True
    ) -> T:
        """What `act` gives on a connection, in a transaction of its own if it asks for one.

        With `repeat`, it is done again where its connection was lost. What the server rolled back because of a conflict
        with others is done again in any case.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
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

    async def _run_once(self, act: Callable[[AnyConnection], Awaitable[T]], *, transaction: bool) -> T:
        connection = await self.source.take()
        spoilt = False
        self._watch(connection)
        try:
            if not self._prepared:
                await self._prepare_once(connection)
            if self.source.tuned and not transaction:
                return await act(connection)
            return await self._transact(connection, act)
        except BaseException as error:
            spoilt = spoils(error)
            if connection not in self._under_way:
                raise TimeoutError from error
            raise
        finally:
            self._under_way.pop(connection, None)
            await self.source.put(connection, spoilt=spoilt)

    async def _prepare_once(self, connection: AnyConnection) -> None:
        async with self._preparing:
            if not self._prepared:
                await self._prepare(connection)
                self._prepared = True

    async def _transact(self, connection: AnyConnection, act: Callable[[AnyConnection], Awaitable[T]]) -> T:
        """Act in a transaction, not rolled back on a connection that is of no use: it would never be answered."""
        transaction = connection.transaction(isolation="read_committed")
        await transaction.start()
        try:
            if not self.source.tuned:
                await connection.execute(_SET_LOCAL)
            result = await act(connection)
        except BaseException as error:
            if not spoils(error):
                await transaction.rollback()
            raise
        await transaction.commit()
        return result

    def _watch(self, connection: AnyConnection) -> None:
        loop = asyncio.get_running_loop()
        self._under_way[connection] = loop.time()
        if self._watchdog is None:
            self._watchdog = loop.call_later(ANSWER, self._give_up)

    def _give_up(self) -> None:
        loop = asyncio.get_running_loop()
        latest = loop.time() - ANSWER
        for connection in [one for one, since in self._under_way.items() if since <= latest]:
            del self._under_way[connection]
            connection.terminate()
        oldest = next(iter(self._under_way.values()), None)
        self._watchdog = None if oldest is None else loop.call_at(oldest + ANSWER, self._give_up)

    async def outside(self, statement: str, seconds: float) -> None:
        """Run a statement that no transaction may hold, such as VACUUM."""
        connection = await self.source.take()
        spoilt = False
        try:
            await connection.execute(statement, timeout=seconds)
        except BaseException as error:
            spoilt = spoils(error)
            raise
        finally:
            await self.source.put(connection, spoilt=spoilt)
