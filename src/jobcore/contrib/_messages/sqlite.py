"""`SqliteMessages`: messages in a file of jobcore's, for the processes of one machine.

A message is a job of the queue, and its arguments are the message. Whoever calls waits for the answer, so this is no
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
import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import uuid4

from jobcore._ids import uuid7
from jobcore.contrib._forking import ForkAware
from jobcore.contrib._messages.keeper import Keeper
from jobcore.contrib._messages.messages import LONGEST_REST, Delivery, P, emptied
from jobcore.contrib._messages.tables import MessageTables
from jobcore.contrib._waiting import Waiters
from jobcore.contrib._watching import Watcher
from jobcore.errors import StorageUnavailable
from jobcore.sqlite.database import SHORT_LOG, Database, is_busy, patiently
from jobcore.sqlite.schema import BACKOFF
from jobcore.sqlite.tables import DELIVERIES, ID, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterable, Sequence

    from jobcore.storage import Clock

M = TypeVar("M", bound=MessageTables)
T = TypeVar("T")
Held = tuple[bytes, bytes, int]
"""Message, runner and number of the delivery."""

NO_LIMIT = -1
ARGS, HEARTBEAT = 2, 7  # where these are in a row of `Tables.first`

_logger = logging.getLogger("jobcore")


class SqliteMessages(ForkAware, Generic[P, M]):
    """Queues in a file, shared by the threads of this process and by other processes.

    `tables` makes the statements of a connection; `encode` and `decode` make JSON of a message, and the reverse.
    `heartbeat_interval`, in seconds: how often leases are renewed; they run out after five times that.
    """

    def __init__(
        self,
        path: str,
        tables: Callable[[sqlite3.Connection], M],
        encode: Callable[[P], bytes],
        decode: Callable[[bytes], P],
        *,
        synchronous: str = "full",
        heartbeat_interval: float = 5,
        clock: Clock = time,
    ) -> None:
        self.path: str = os.path.abspath(path)  # noqa: PTH100  (the working directory may change)
        self._make_tables = tables
        self._encode = encode
        self._decode = decode
        self._synchronous = synchronous
        self._interval = heartbeat_interval
        self._heartbeat = round(heartbeat_interval * 1e6)
        self._clock = clock
        super().__init__()

    def _begin(self) -> None:
        self._lock = threading.Lock()  # over the connection, and all of the tables
        self._database = Database(self.path, self._synchronous, migrate=True, one_thread=False, log=SHORT_LOG)
        self._tables: tuple[Tables, M] | None = None
        self._runner = uuid4().bytes
        self._held: dict[str, tuple[Held, str]] = {}
        self._acked: list[Held] = []
        self._watcher = Watcher(self.path + "-wal", self._version)
        self.waiters: Waiters = Waiters(lambda: self._watcher.begin(self.waiters))
        self._users = 0
        self._users_lock = threading.Lock()
        self._keeper: Keeper | None = None

    def open(self) -> None:
        """Count one more user; a file that cannot be used is told now."""
        with self._users_lock:
            if not self._users:
                with self._lock, self._told():
                    self._opened()
            self._users += 1

    def close(self) -> None:
        """Count one less; after the last one the threads end, and the file is let go."""
        with self._users_lock:
            self._users = max(0, self._users - 1)  # a forked child closes what its parent opened
            if self._users:
                return
            keeper, self._keeper = self._keeper, None
            if keeper is not None:
                keeper.stop()
                atexit.unregister(self.flush)
                self.flush()
            self._watcher.stop(self.waiters)
            with self._lock:
                self._let_go()

    def _kept(self) -> Keeper:
        """The keeper, which is there from the first message or consumer on: who only publishes has no thread."""
        with self._users_lock:
            if self._keeper is None:
                self._keeper = Keeper(self._interval, self.flush, self._beat)
                atexit.register(self.flush)
            return self._keeper

    def put(
        self,
        queues: Iterable[str],
        payload: P,
        priority: int,
        *,
        name: str = "message",
        due: int | None = None,
    ) -> None:
        """Put a message into all of these queues, or into none: it is durable when this returns."""
        now = self._now()
        due = now if due is None else due
        args = self._encode(payload)
        policy = (NO_LIMIT, BACKOFF, self._heartbeat)
        rows = [(uuid7().bytes, due, name, args, queue, priority, *policy) for queue in queues]
        with self._transaction() as (jobs, _):
            jobs.push([(rows, now)])
        for row in rows:
            self._ring(row[4])

    def get(self, queue: str, limit: int) -> Sequence[Delivery[P]]:
        """The first messages, up to so many, claimed in one transaction."""
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
        deliveries: list[Delivery[P]] = []
        for row in rows:
            tag = f"{row[ID].hex()}.{row[DELIVERIES]}"
            self._held[tag] = (row[ID], self._runner, row[DELIVERIES]), queue
            deliveries.append(Delivery(tag, self._decode(row[ARGS]), row[DELIVERIES] > 1))
        return deliveries

    def ack(self, tag: str) -> None:
        """Remove a held message: soon, without waiting for it."""
        if found := self._held.pop(tag, None):
            held, queue = found
            self._acked.append(held)
            self._ring(emptied(queue))
            self._kept().wake()

    def requeue(self, tags: Iterable[str]) -> None:
        """Let held messages go, each to its old place."""
        found = [found for tag in tags if (found := self._held.pop(tag, None))]
        if found:
            with self._transaction() as (_, tables):
                tables.requeue([held for held, _ in found])
            for _, queue in found:
                self._ring(queue)

    def bury(self, tag: str, queue: str, kept: int) -> None:
        """Move a held message into another queue, and remove from there what died more than `kept` microseconds ago."""
        if found := self._held.get(tag):
            held, left = found
            now = self._now()
            with self._transaction() as (_, tables):
                tables.bury(held, queue, now, now - kept)
            self._held.pop(tag, None)
            self._ring(queue)
            self._ring(emptied(left))

    def size(self, queue: str) -> int:
        """How many messages nobody holds. Linear in that number."""
        return self._read(lambda tables: tables.size(queue, self._now()))

    def purge(self, queue: str) -> int:
        """Remove the messages that nobody holds; how many those were."""
        with self._transaction() as (_, tables):
            removed = tables.purge(queue, self._now())
        self._ring(emptied(queue))
        return removed

    def wait(self, queue: str, look: Callable[[], T | None], timeout: float) -> T | None:
        """What `look` finds in this queue, as soon as it finds something; None after so many seconds."""
        return self.waiters.wait(queue, look, timeout, lambda: self._until_next(queue))

    def join(self, queue: str, timeout: float | None) -> bool:
        """Wait until no message of this queue is left, held or not; whether it came to that in so many seconds."""

        def look() -> bool | None:
            self.flush()
            return not self._read(lambda tables: tables.has_any(queue)) or None

        empty = self.waiters.wait(emptied(queue), look, timeout)
        self._ring(emptied(queue))  # others may wait for the same
        return empty is not None

    def flush(self) -> None:
        """Write down the acknowledgements that are not yet."""
        if self._acked:
            with self._transaction():
                pass  # every transaction begins with them

    def _beat(self) -> None:
        """Renew the leases of what is held here."""
        held = {tag: held for tag, (held, _) in self._held.copy().items()}
        if not held:
            return
        with self._transaction() as (jobs, _):
            tags = list(held)
            beats = [(message_id, delivery) for message_id, _, delivery in held.values()]
            lost = [tags[place] for place in jobs.heartbeat(beats, self._runner)]
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

    def _until_next(self, queue: str) -> float | None:
        """Seconds until a message comes due, or a lease is over."""
        with self._lock, self._told():
            jobs, _ = self._opened()
            next_at = patiently(partial(jobs.next_at, queue))
        return None if next_at is None else min(max(0, next_at - self._now()) / 1e6, LONGEST_REST)

    def _version(self) -> int:
        with self._lock, self._told():
            self._opened()
            return self._database.version()

    def _ring(self, line: Hashable) -> None:
        self.waiters.ring(line)

    def _read(self, look: Callable[[M], T]) -> T:
        with self._lock, self._told():
            _, tables = self._opened()
            return patiently(partial(look, tables))

    @contextmanager
    def _transaction(self) -> Generator[tuple[Tables, M]]:
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

    def _opened(self) -> tuple[Tables, M]:
        if self._tables is None:
            connection = self._database.open()
            tables = self._make_tables(connection)
            for statement in tables.schema:
                patiently(partial(connection.execute, statement))
            self._tables = Tables(connection, self._now, _count), tables
        return self._tables

    def _let_go(self) -> None:
        self._tables = None
        self._database.close()

    def _now(self) -> int:
        return self._clock.time_ns() // 1000


def _count(name: str, number: int) -> None:
    """Nobody asks for the counters of a broker."""
