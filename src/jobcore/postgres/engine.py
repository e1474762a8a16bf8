"""The engine of a `PostgresStorage`: a thread with an event loop of its own, on which all statements are awaited.

So calls come from any loop, and a loop that its handlers block keeps neither the heartbeats nor the jobs of others
waiting. Requests are sorted by what they ask: pushes, completions and heartbeats go in groups (`batching`), pops join
the lines (`claiming`), and the rest goes out one by one. Each verb has its own way, so none waits behind another one.

With a pool of the user's, the engine runs on the loop of that pool, which cannot be used from another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, cast

from asyncpg import Pool

from jobcore._durable.inbox import Inbox
from jobcore._durable.requests import Answers, Pop, Request
from jobcore._durable.storage import COUNTERS
from jobcore.errors import StorageClosed
from jobcore.postgres import schema as schemas
from jobcore.postgres.batching import Batcher
from jobcore.postgres.claiming import Claims
from jobcore.postgres.connections import Connections
from jobcore.postgres.failures import concerns_one, told
from jobcore.postgres.housekeeping import Housekeeper
from jobcore.postgres.listening import Herald, Listener
from jobcore.postgres.sources import Borrowed, Own
from jobcore.postgres.tables import FEWEST_COPIED, News, Tables, is_repeatable, is_simple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from jobcore.postgres.sources import AnyConnection
    from jobcore.postgres.statements import Statements
    from jobcore.storage import Clock

_MOST_REQUESTS = 1_000
_MOST_ROWS = 1_000
"""Rows that a group of requests has at the most."""


class Engine:
    """Carries out requests on a loop: that of `loop`, or one of its own."""

    def __init__(
        self,
        connections: Connections,
        statements: Statements,
        clock: Clock,
        *,
        listen: bool,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.counters: dict[str, int] = dict.fromkeys(COUNTERS, 0)
        self._connections = connections
        self._tables = Tables(statements, clock)
        self._loop = loop
        self._owns_loop = loop is None
        self._inbox = Inbox(self._wake)
        self._abandoned = False
        self._lock = threading.Lock()  # over the start and the end
        self._stopped = False
        # Of the loop alone, from here on.
        self._tasks: set[asyncio.Task[None]] = set()
        self._closers: list[Request] = []
        self._closing = False
        self._claims = Claims(connections, self._tables, clock, self._spawn, self._account)
        self._herald = Herald(self._tell, self._spawn)
        self._housekeeper = Housekeeper(connections, statements)
        self._listener = (
            Listener(connections.source, statements.channel, self._heard, self._listening_changed) if listen else None
        )
        self._batches = {
            "push": Batcher(self._push, _weight_of_push, self._spawn, _MOST_ROWS),
            "complete": Batcher(self._complete, _weight_of_rows, self._spawn, _MOST_ROWS),
            "heartbeat": Batcher(self._heartbeat, _weight_of_rows, self._spawn, _MOST_ROWS),
        }
        connections.on_loss = self._claims.touch_all

    # From any thread.

    def submit(self, request: Request) -> None:
        """Carry this out, and answer it."""
        self._inbox.put(request)
        if self._loop is None:
            self._start()
        if self._stopped:  # a moment ago, maybe after the inbox was looked at for the last time
            self._refuse_rest()

    def close(self) -> asyncio.Future[None] | None:
        """Finish what was submitted, end every pop that waits, and stop; None when it has."""
        with self._lock:
            if self._stopped or self._loop is None:
                self._stopped = True
                return None
            request = Request("close")
            self._inbox.put(request)
            return request.future

    def abandon(self) -> None:
        """As `close`, and nobody waits for it; called by the garbage collector, wherever it runs, so without a lock."""
        self._abandoned = True
        self._wake()

    def _wake(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._receive)

    def _start(self) -> None:
        with self._lock:
            if self._loop is None and not self._stopped:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(self._loop,), name="jobcore-postgres", daemon=True).start()

    # On the loop.

    def _receive(self) -> None:
        while requests := self._inbox.take(_MOST_REQUESTS):
            for request in requests:
                self._begin(request)
        if self._abandoned:
            self._begin_to_close()

    def _begin(self, request: Request) -> None:
        if isinstance(request, Pop):
            if self._listener is not None:
                self._listener.start()
            self._claims.join(request)
        elif request.verb in self._batches:
            self._batches[request.verb].add(request)
        elif request.verb == "undo":
            self._claims.withdraw(request.args[0], request)
        elif request.verb == "close":
            self._closers.append(request)
            self._begin_to_close()
        else:
            self._spawn(self._alone(request))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _account(self, news: News) -> None:
        for name, number in news.counts.items():
            self.counters[name] += number
        self._housekeeper.left_behind(news.counts, self._spawn)

    async def _push(self, group: list[Request]) -> None:
        async def act(part: list[Request]) -> list[None]:
            rows = [row for request in part for row in request.args[0]]
            queues = {row[3] for row in rows}
            tell = self._herald.due(queues)
            # An id that was given may be there already, which a COPY cannot overlook.
            copies = len(rows) >= FEWEST_COPIED and all(request.args[1] for request in part)
            call = self._tables.copy if copies else self._tables.push
            news = News()
            news.counts["pushed"] = await self._connections.run(
                lambda to: call(to, rows, tell), transaction=copies, repeat=False
            )
            self._account(news)
            self._claims.touch(queues)
            return [None] * len(part)

        await self._answer_group(group, act)

    async def _complete(self, group: list[Request]) -> None:
        async def act(part: list[Request]) -> list[list[Any]]:
            backs = [back for request in part for back in request.args[0]]

            async def attempt(to: Any) -> tuple[list[Any], News]:
                news = News()
                completions = await self._tables.complete(to, backs, news)
                if news.changed:
                    await to.fetch(self._tables.statements.notify, self._herald.due(news.changed))
                return completions, news

            completions, news = await self._connections.run(
                attempt, transaction=not is_simple(backs), repeat=is_repeatable(backs)
            )
            self._account(news)
            self._claims.touch(news.changed)
            rest = iter(completions)
            return [[next(rest) for _ in request.args[0]] for request in part]

        await self._answer_group(group, act)

    async def _heartbeat(self, group: list[Request]) -> None:
        async def act(part: list[Request]) -> list[list[int]]:
            beats = [(job_id, request.args[1], delivery) for request in part for job_id, delivery in request.args[0]]
            lost = await self._connections.run(lambda to: self._tables.heartbeat(to, beats))
            news = News()
            news.counts["lost_leases"] = len(lost)
            self._account(news)
            places = iter(range(len(beats)))
            return [[n for n, _ in enumerate(request.args[0]) if next(places) in lost] for request in part]

        await self._answer_group(group, act)

    async def _answer_group(self, group: list[Request], act: Callable[[list[Request]], Awaitable[list[Any]]]) -> None:
        """Answer all of these by one `act`; where it fails by one of them, only that one is to fail."""
        answers = Answers()
        try:
            for request, value in zip(group, await act(group), strict=True):
                answers.add(request, value)
        except Exception as error:  # noqa: BLE001  (whatever it is, those who wait have to know)
            if len(group) > 1 and concerns_one(error):
                for request in group:
                    await self._answer_group([request], act)
            else:
                for request in group:
                    answers.add(request, error=told(error))
        answers.deliver()

    async def _alone(self, request: Request) -> None:
        tables = self._tables

        async def act(_: list[Request]) -> list[Any]:
            if request.verb == "gauges":
                return [(await self._connections.run(tables.gauges, transaction=True), dict(self.counters))]
            if request.verb == "ping":
                return [await self._connections.run(_nothing)]
            call = getattr(tables, request.verb)
            result = await self._connections.run(lambda to: call(to, *request.args), transaction=True)
            if request.verb == "release":
                await self._tell(list(result))
                self._claims.touch(result)
            return [result]

        await self._answer_group([request], act)

    async def _tell(self, queues: list[str]) -> None:
        with contextlib.suppress(Exception):  # the poll of the others finds it
            await self._connections.run(lambda to: to.fetch(self._tables.statements.tell, queues))

    def _heard(self, queue: str) -> None:
        self._claims.touch([queue])

    def _listening_changed(self, listening: bool) -> None:  # noqa: FBT001  (a callback)
        self._claims.listening = listening
        self._claims.touch_all()

    def _begin_to_close(self) -> None:
        if not self._closing:
            self._closing = True
            task = asyncio.get_running_loop().create_task(self._close())
            task.add_done_callback(lambda _: self._end())

    async def _close(self) -> None:
        self._claims.close()
        while self._tasks:
            await asyncio.wait(self._tasks)
        with contextlib.suppress(Exception):
            await self._herald.flush()
        if self._listener is not None:
            await self._listener.stop()
        await self._connections.source.close()

    def _end(self) -> None:
        with self._lock:
            self._stopped = True
        self._refuse_rest()
        answers = Answers()
        for request in self._closers:
            answers.add(request)
        answers.deliver()
        if self._owns_loop:
            asyncio.get_running_loop().stop()

    def _refuse_rest(self) -> None:
        answers = Answers()
        while requests := self._inbox.take(_MOST_REQUESTS):
            for request in requests:
                answers.add(request, error=None if request.verb == "close" else StorageClosed())
        answers.deliver()


def engine_of(
    source: object, statements: Statements, clock: Clock, *, migrate: bool, listen: bool, connections: int
) -> Engine:
    """The engine for a URL or a pool of asyncpg."""

    async def prepare(connection: AnyConnection) -> None:
        await schemas.prepare(connection, statements.schema, migrate=migrate)

    if isinstance(source, Pool):
        pool = cast("Any", source)
        # A pool works on one loop, which it keeps to itself.
        return Engine(Connections(Borrowed(pool), prepare), statements, clock, listen=listen, loop=pool._loop)  # noqa: SLF001
    if not isinstance(source, str):
        raise TypeError(f"a PostgresStorage takes a URL or an asyncpg.Pool, not {type(source).__name__}")
    if not source.startswith(("postgresql://", "postgres://")):
        raise ValueError("a PostgresStorage takes a URL that begins with postgresql://")
    own = Own(source, connections, session=listen)
    return Engine(Connections(own, prepare), statements, clock, listen=listen, loop=None)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _nothing(_: object) -> None:
    """What a ping does: the connection is there, and the schema."""


def _weight_of_push(request: Request) -> tuple[int, int]:
    rows = request.args[0]
    return len(rows), sum(len(row[1]) + len(row[2]) for row in rows)


def _weight_of_rows(request: Request) -> tuple[int, int]:
    return len(request.args[0]), 0
