"""`SqliteBroker`: `SqliteMessages`, with the queues and bindings of AMQP, in tables of their own.

Queues that expire, as those of a worker for its remote control do, are kept by the keeper's thread while their consumer
lives, and removed by that of any process.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from kombu.transport.virtual import BrokerState
from kombu.utils import json

from jobcore.contrib._messages.sqlite import SqliteMessages
from jobcore.contrib.kombu._broker import Binding, Payload
from jobcore.contrib.kombu._tables import KombuTables
from jobcore.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from jobcore.contrib._messages.messages import Delivery
    from jobcore.storage import Clock

_dumps: Callable[[Payload], str] = json.dumps  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
_loads: Callable[[bytes], Payload] = json.loads  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


class SqliteBroker(SqliteMessages[Payload, KombuTables]):
    """Queues in a file, shared by the connections of this process and by other processes.

    `heartbeat_interval`, in seconds: how often leases are renewed; they run out after five times that.
    """

    def __init__(
        self, path: str, *, synchronous: str = "full", heartbeat_interval: float = 5, clock: Clock = time
    ) -> None:
        super().__init__(
            path,
            KombuTables,
            lambda payload: _dumps(payload).encode(),
            _loads,
            synchronous=synchronous,
            heartbeat_interval=heartbeat_interval,
            clock=clock,
        )

    def _begin(self) -> None:
        super()._begin()
        self.state = BrokerState()
        self._consumed: Counter[str] = Counter()
        self._ended: set[str] = set()

    def declare(self, queue: str, expires: int | None = None) -> None:
        """Make a queue, which goes when nobody has used it for so many microseconds."""
        if expires is not None or not self.has(queue):
            self._write(lambda tables: tables.declare(queue, expires, self._now()))
        self._ended.discard(queue)

    def has(self, queue: str) -> bool:
        """Whether the queue was declared, and has not gone."""
        return self._read(lambda tables: tables.has(queue))

    def delete(self, queue: str) -> None:
        """Remove a queue, its bindings and its messages, those that are held too."""
        self._write(lambda tables: tables.delete(queue))

    def bind(self, exchange: str, binding: Binding) -> None:
        """Add a binding, once."""
        if not self._read(lambda tables: tables.is_bound(exchange, binding)):
            self._write(lambda tables: tables.bind(exchange, binding))

    def unbind(self, exchange: str, binding: Binding) -> None:
        """Remove a binding."""
        self._write(lambda tables: tables.unbind(exchange, binding))

    def bindings(self, exchange: str) -> Sequence[Binding]:
        """The bindings to an exchange."""
        return self._read(lambda tables: tables.bindings(exchange))

    def consume(self, queue: str) -> None:
        """Keep a queue while it is consumed from, however soon it expires."""
        self._consumed[queue] += 1
        self._kept()

    def cancel(self, queue: str) -> None:
        """End what `consume` began."""
        self._consumed[queue] -= 1
        if self._consumed[queue] <= 0:
            del self._consumed[queue]

    def put(
        self,
        queues: Iterable[str],
        payload: Payload,
        priority: int,
        *,
        name: str = "kombu.message",
        due: int | None = None,
    ) -> None:
        """Put a message into all of these queues, or into none: it is durable when this returns."""
        super().put(queues, payload, priority, name=name, due=due)

    def get(self, queue: str, limit: int) -> Sequence[Delivery[Payload]]:
        """The first messages, up to so many, claimed in one transaction."""
        if queue in self._ended:
            self._ended.discard(queue)
            raise StorageUnavailable(f"the queue {queue!r} has expired meanwhile; declare it again")
        return super().get(queue, limit)

    def _beat(self) -> None:
        """Renew the leases of what is held here, keep the queues that are used, and remove those that have ended."""
        super()._beat()
        now = self._now()
        ended = self._read(lambda tables: tables.ended(now))
        if not (self._consumed or ended):
            return
        self._ended.update(self._write(lambda tables: self._tended(tables, now)))

    def _tended(self, tables: KombuTables, now: int) -> list[str]:
        gone = [queue for queue in list(self._consumed) if not tables.keep(queue, now, 5 * self._heartbeat)]
        for queue in tables.ended(now):
            tables.delete(queue)
        return gone

    def _ring(self, line: Hashable) -> None:  # noqa: ARG002  (there is but one)
        self.waiters.ring_all()
