"""`SqliteBroker`: messages in a file of jobcore's, for the processes of one machine.

A message is a job of the queue, and its arguments are the message. kombu calls and waits for the answer, so this is no
`SqliteStorage`, whose writer serves event loops: the thread that calls carries out the statements of that storage
itself, under one lock, on one connection. The file is the same, and can be looked at by all that knows jobcore.

A message that was got is leased to this process, and the keeper's thread renews the lease while it is held. When the
process dies the lease runs out, after five heartbeats, and the message comes back, in its old place: at least once.

An acknowledgement is written down a moment later, by the keeper or by the next transaction, whichever comes first;
until then its lease is held. If the process is killed in between, the message comes back, as it does when a
connection breaks on the way to any broker.
"""

from __future__ import annotations

import atexit
import logging
import sqlite3
import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from kombu.transport.virtual import BrokerState
from kombu.utils import json

from jobcore._ids import uuid7
from jobcore.contrib.kombu._broker import LONGEST_WAIT, Bell, Binding, Delivery, ForkAware, Payload
from jobcore.contrib.kombu._keeper import Keeper
from jobcore.contrib.kombu._tables import SCHEMA, KombuTables
from jobcore.errors import StorageUnavailable
from jobcore.sqlite.database import Database, is_busy, patiently
from jobcore.sqlite.schema import BACKOFF
from jobcore.sqlite.tables import DELIVERIES, ID, Tables
from jobcore.sqlite.watching import WATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from jobcore.storage import Clock

T = TypeVar("T")
Held = tuple[bytes, bytes, int]
"""Message, runner and number of the delivery."""

_dumps: Callable[[Payload], str] = json.dumps  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
_loads: Callable[[bytes], Payload] = json.loads  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]

NAME = "kombu.message"
NO_LIMIT = -1
ARGS, HEARTBEAT = 2, 7  # where these are in a row of `Tables.first`

_logger = logging.getLogger("jobcore")


class SqliteBroker(ForkAware):
    """Queues in a file, shared by the connections of this process and by other processes.

    `heartbeat_interval`, in seconds: how often leases are renewed; they run out after five times that.
    """

    def __init__(
        self, path: str, *, synchronous: str = "full", heartbeat_interval: float = 5, clock: Clock = time
    ) -> None:
        self.path = path
        self._synchronous = synchronous
        self._interval = heartbeat_interval
        self._heartbeat = round(heartbeat_interval * 1e6)
        self._clock = clock
        super().__init__()

    def _begin(self) -> None:
        self.state = BrokerState()
        self._lock = threading.Lock()  # over the connection, and all of the tables
        self._database = Database(self.path, self._synchronous, migrate=True, one_thread=False)
        self._tables: tuple[Tables, KombuTables] | None = None
        self._runner = uuid4().bytes
        self._held: dict[str, Held] = {}
        self._acked: list[Held] = []
        self._consumed: Counter[str] = Counter()
        self._ended: set[str] = set()
        self._bell = Bell()
        self._users = 0
        self._users_lock = threading.Lock()
        self._keeper: Keeper | None = None

    def open(self) -> None:
        """Count one more connection; a file that cannot be used is told now."""
        with self._users_lock:
            if not self._users:
                with self._lock, self._told():
                    self._opened()
            self._users += 1

    def close(self) -> None:
        """Count one less; after the last one the thread ends, and the file is let go."""
        with self._users_lock:
            self._users = max(0, self._users - 1)  # a forked child closes what its parent opened
            if self._users:
                return
            keeper, self._keeper = self._keeper, None
            if keeper is not None:
                keeper.stop()
                atexit.unregister(self.flush)
                self.flush()
            with self._lock:
                self._let_go()

    def _kept(self) -> Keeper:
        """The keeper, which is there from the first message or consumer on: who only publishes has no thread."""
        with self._users_lock:
            if self._keeper is None:
                self._keeper = Keeper(self._interval, self.flush, self._beat)
                atexit.register(self.flush)
            return self._keeper

    def declare(self, queue: str, expires: int | None = None) -> None:
        """Make a queue, which goes when nobody has used it for so many microseconds."""
        if expires is not None or not self.has(queue):
            with self._transaction() as (_, tables):
                tables.declare(queue, expires, self._now())
        self._ended.discard(queue)

    def has(self, queue: str) -> bool:
        """Whether the queue was declared, and has not gone."""
        return self._read(lambda tables: tables.has(queue))

    def delete(self, queue: str) -> None:
        """Remove a queue, its bindings and its messages, those that are held too."""
        with self._transaction() as (_, tables):
            tables.delete(queue)

    def bind(self, exchange: str, binding: Binding) -> None:
        """Add a binding, once."""
        if not self._read(lambda tables: tables.is_bound(exchange, binding)):
            with self._transaction() as (_, tables):
                tables.bind(exchange, binding)

    def unbind(self, exchange: str, binding: Binding) -> None:
        """Remove a binding."""
        with self._transaction() as (_, tables):
            tables.unbind(exchange, binding)

    def bindings(self, exchange: str) -> Sequence[Binding]:
        """The bindings to an exchange."""
        return self._read(lambda tables: tables.bindings(exchange))

    def put(self, queues: Iterable[str], payload: Payload, priority: int) -> None:
        """Put a message into all of these queues, or into none: it is durable when this returns."""
        now = self._now()
        args = _dumps(payload).encode()
        policy = (NO_LIMIT, BACKOFF, self._heartbeat)
        rows = [(uuid7().bytes, now, NAME, args, queue, priority, *policy) for queue in queues]
        with self._transaction() as (tables, _):
            tables.push([(rows, now)])
        self._bell.ring()

    def get(self, queue: str, limit: int) -> Sequence[Delivery]:
        """The first messages, up to so many, claimed in one transaction."""
        if queue in self._ended:
            self._ended.discard(queue)
            raise StorageUnavailable(f"the queue {queue!r} has expired meanwhile; declare it again")
        if limit < 1 or not self._look(queue):
            return ()
        with self._transaction() as (jobs, tables):
            now = self._now()
            while not jobs.rise(queue, now):
                continue
            rows = jobs.first(queue, limit, now)
            if rows:
                tables.adopt([(self._heartbeat, row[ID]) for row in rows if row[HEARTBEAT] != self._heartbeat])
                jobs.claim([(rows, self._runner)], now)
        if rows:
            self._kept()
        deliveries: list[Delivery] = []
        for row in rows:
            tag = f"{row[ID].hex()}.{row[DELIVERIES]}"
            self._held[tag] = row[ID], self._runner, row[DELIVERIES]
            deliveries.append(Delivery(tag, _loads(row[ARGS]), row[DELIVERIES] > 1))
        return deliveries

    def ack(self, tag: str) -> None:
        """Remove a held message: soon, without waiting for it."""
        if held := self._held.pop(tag, None):
            self._acked.append(held)
            self._bell.ring()  # there may be room for another one
            self._kept().wake()

    def requeue(self, tags: Iterable[str]) -> None:
        """Let held messages go, each to its old place."""
        held = [held for tag in tags if (held := self._held.pop(tag, None))]
        if held:
            with self._transaction() as (_, tables):
                tables.requeue(held)
            self._bell.ring()

    def size(self, queue: str) -> int:
        """How many messages nobody holds. Linear in that number."""
        return self._read(lambda tables: tables.size(queue, self._now()))

    def purge(self, queue: str) -> int:
        """Remove the messages that nobody holds; how many those were."""
        with self._transaction() as (_, tables):
            return tables.purge(queue, self._now())

    def consume(self, queue: str) -> None:
        """Keep a queue while it is consumed from, however soon it expires."""
        self._consumed[queue] += 1
        self._kept()

    def cancel(self, queue: str) -> None:
        """End what `consume` began."""
        self._consumed[queue] -= 1
        if self._consumed[queue] <= 0:
            del self._consumed[queue]

    def mark(self) -> object:
        """The number of changes here, and a number that differs after changes elsewhere."""
        with self._lock, self._told():
            self._opened()
            return self._bell.rings, self._database.version()

    def wait(self, mark: object, timeout: float | None) -> None:
        """Wait for a change; those of other processes are looked for every `WATCH` seconds."""
        end = time.monotonic() + (LONGEST_WAIT if timeout is None else min(timeout, LONGEST_WAIT))
        rings = self._bell.rings
        while self.mark() == mark:
            left = end - time.monotonic()
            if left <= 0 or self._bell.wait(rings, min(left, WATCH)):
                return

    def flush(self) -> None:
        """Write down the acknowledgements that are not yet."""
        if self._acked:
            with self._transaction():
                pass  # every transaction begins with them

    def _beat(self) -> None:
        """Renew the leases of what is held here, keep the queues that are used, and remove those that have ended."""
        held = self._held.copy()
        now = self._now()
        ended = self._read(lambda tables: tables.ended(now))
        if not (held or self._consumed or ended):
            return
        with self._transaction() as (jobs, tables):
            tags = list(held)
            beats = [(message_id, delivery) for message_id, _, delivery in held.values()]
            lost = [tags[place] for place in jobs.heartbeat(beats, self._runner)] if beats else []
            for queue in list(self._consumed):
                if not tables.keep(queue, now, 5 * self._heartbeat):
                    self._ended.add(queue)
            for queue in tables.ended(now):
                tables.delete(queue)
        for tag in lost:
            if self._held.pop(tag, None):  # else it was acknowledged meanwhile
                _logger.warning("the lease of message %s ran out: another consumer may have it", tag)

    def _look(self, queue: str) -> bool:
        """Whether there may be a message to get; costs no transaction."""
        with self._lock, self._told():
            jobs, _ = self._opened()
            if patiently(partial(jobs.is_ready, queue)):
                return True
            next_at = patiently(partial(jobs.next_at, queue))
            return next_at is not None and next_at <= self._now()

    def _read(self, look: Callable[[KombuTables], T]) -> T:
        with self._lock, self._told():
            _, tables = self._opened()
            return patiently(partial(look, tables))

    @contextmanager
    def _transaction(self) -> Generator[tuple[Tables, KombuTables]]:
        with self._lock, self._told():
            opened = self._opened()
            self._database.check()
            self._database.begin()
            try:
                acked = self._acked.copy()
                opened[1].ack(acked)
                yield opened
                self._database.commit()
            except BaseException:
                self._database.rollback()
                raise
            del self._acked[: len(acked)]

    @contextmanager
    def _told(self) -> Generator[None]:
        """Tell what SQLite says in our words; what is wrong with the connection may be right with a new one."""
        try:
            yield
        except (sqlite3.Error, StorageUnavailable) as error:
            if not is_busy(error.__cause__ or error):
                self._let_go()
            if isinstance(error, StorageUnavailable):
                raise
            raise StorageUnavailable(str(error)) from error

    def _opened(self) -> tuple[Tables, KombuTables]:
        if self._tables is None:
            connection = self._database.open()
            for statement in SCHEMA:
                patiently(partial(connection.execute, statement))
            self._tables = Tables(connection, self._now, _count), KombuTables(connection)
        return self._tables

    def _let_go(self) -> None:
        self._tables = None
        self._database.close()

    def _now(self) -> int:
        return self._clock.time_ns() // 1000


def _count(name: str, number: int) -> None:
    """Nobody asks for the counters of a broker."""
