"""`SqliteMessages`: messages in a file of jobcore's, for the processes of one machine.

A message is a job of the queue, and its arguments are the message. Whoever calls waits for the answer, so this is no
`SqliteStorage`, whose writer serves event loops: the threads that call carry out the statements of that storage
themselves, and share their transactions (`GroupCommit`). The file is the same, and can be looked at by all that knows
jobcore.

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
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import uuid4

from jobcore._ids import uuid7
from jobcore.contrib._committing import GroupCommit
from jobcore.contrib._forking import ForkAware
from jobcore.contrib._messages.keeper import Keeper
from jobcore.contrib._messages.messages import LONGEST_REST, Delivery, P, emptied
from jobcore.contrib._messages.tables import MessageTables
from jobcore.contrib._waiting import Waiters
from jobcore.contrib._watching import Watcher
from jobcore.sqlite.database import SHORT_LOG, Database
from jobcore.sqlite.schema import BACKOFF
from jobcore.sqlite.tables import DELIVERIES, ID, Row, Tables

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Hashable, Iterable, Sequence

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
        tables: Callable[[sqlite3.Connection, Tables], M],
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
        self._group = GroupCommit(
            Database(self.path, self._synchronous, migrate=True, one_thread=False, log=SHORT_LOG), self._prepare
        )
        self._tables: M
        self._runner = uuid4().bytes
        self._held: dict[str, tuple[Held, str]] = {}
        self._acked: deque[Held] = deque()
        self._watcher = Watcher(self.path + "-wal", self._group.version)
        self.waiters: Waiters = Waiters(lambda: self._watcher.begin(self.waiters))
        self._users = 0
        self._users_lock = threading.Lock()
        self._keeper: Keeper | None = None

    def open(self) -> None:
        """Count one more user; a file that cannot be used is told now."""
        with self._users_lock:
            if not self._users:
                self._group.version()
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
            self._group.close()

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
        self._write(lambda tables: tables.jobs.push([(rows, now)]))
        for row in rows:
            self._ring(row[4])

    def get(self, queue: str, limit: int) -> Sequence[Delivery[P]]:
        """The first messages, up to so many, claimed in one transaction."""
        if limit < 1 or not self._look(queue):
            return ()

        def claim(tables: M) -> list[Row]:
            now = self._now()
            while not tables.jobs.rise(queue, now):
                continue
            rows = tables.jobs.first(queue, limit, now)
            if rows:
                tables.adopt([(self._heartbeat, row[ID]) for row in rows if row[HEARTBEAT] != self._heartbeat])
                tables.jobs.claim([(rows, self._runner)], now)
            return rows

        rows = self._write(claim)
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
            held, queues = zip(*found, strict=True)
            self._write(lambda tables: tables.requeue(held))
            for queue in queues:
                self._ring(queue)

    def bury(self, tag: str, queue: str, kept: int) -> None:
        """Move a held message into another queue, and remove from there what died more than `kept` microseconds ago."""
        if found := self._held.get(tag):
            held, left = found
            now = self._now()
            self._write(lambda tables: tables.bury(held, queue, now, now - kept))
            self._held.pop(tag, None)
            self._ring(queue)
            self._ring(emptied(left))

    def size(self, queue: str) -> int:
        """How many messages nobody holds. Linear in that number."""
        return self._read(lambda tables: tables.size(queue, self._now()))

    def purge(self, queue: str) -> int:
        """Remove the messages that nobody holds; how many those were."""
        removed = self._write(lambda tables: tables.purge(queue, self._now()))
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
            self._write(lambda _: None)

    def _beat(self) -> None:
        """Renew the leases of what is held here."""
        held = {tag: held for tag, (held, _) in self._held.copy().items()}
        if not held:
            return
        tags = list(held)
        beats = [(message_id, delivery) for message_id, _, delivery in held.values()]
        for place in self._write(lambda tables: tables.jobs.heartbeat(beats, self._runner)):
            if self._held.pop(tags[place], None):  # else it was acknowledged meanwhile
                _logger.warning("the lease of message %s ran out: another consumer may have it", tags[place])

    def _look(self, queue: str) -> bool:
        """Whether there may be a message to get; costs no transaction."""

        def look(tables: M) -> bool:
            if tables.jobs.is_ready(queue):
                return True
            next_at = tables.jobs.next_at(queue)
            return next_at is not None and next_at <= self._now()

        return self._read(look)

    def _until_next(self, queue: str) -> float | None:
        """Seconds until a message comes due, or a lease is over."""
        next_at = self._read(lambda tables: tables.jobs.next_at(queue))
        return None if next_at is None else min(max(0, next_at - self._now()) / 1e6, LONGEST_REST)

    def _ring(self, line: Hashable) -> None:
        self.waiters.ring(line)

    def _read(self, look: Callable[[M], T]) -> T:
        return self._group.read(lambda _: look(self._tables))

    def _write(self, act: Callable[[M], T]) -> T:
        """What comes of this, in a transaction that begins with the acknowledgements that are not written down."""
        acked: list[Held] = []

        def write(_: sqlite3.Connection) -> T:
            while self._acked:
                acked.append(self._acked.popleft())
            if acked:
                self._tables.ack(acked)
            return act(self._tables)

        try:
            return self._group.write(write)
        except BaseException:
            self._acked.extend(acked)  # to acknowledge twice does no harm
            raise

    def _prepare(self, connection: sqlite3.Connection) -> None:
        self._tables = self._make_tables(connection, Tables(connection, self._now, _count))
        for statement in self._tables.schema:
            connection.execute(statement)

    def _now(self) -> int:
        return self._clock.time_ns() // 1000


def _count(name: str, number: int) -> None:
    """Nobody asks for the counters of a broker."""
