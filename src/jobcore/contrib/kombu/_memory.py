"""`MemoryBroker`: messages of one process in a `JobIndex`, under leases that never run out.

Who holds a message is in this process, as the message is: a lease that outlived its holder would have nobody to go to.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from kombu.transport.virtual import BrokerState

from jobcore._ids import uuid7
from jobcore.contrib.kombu._broker import LONGEST_WAIT, Bell, Binding, Delivery, ForkAware, Payload
from jobcore.memory import JobIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ENDLESS = 2**61


class MemoryBroker(ForkAware):
    """Queues in memory, for the connections and threads of one process."""

    def _begin(self) -> None:
        self.state = BrokerState()
        self._lock = threading.Lock()  # over the bindings and the queues; the index has its own
        self._bell = Bell()
        self._index = JobIndex()
        self._runner = uuid4()
        self._prefix = f"{self._runner}."
        self._numbers = count()
        self._held: dict[str, tuple[UUID, int, str]] = {}
        self._queues: set[str] = set()
        self._bindings: dict[str, dict[Binding, None]] = {}

    def open(self) -> None:
        """Nothing: what was sent outlives the connection."""

    def close(self) -> None:
        """Nothing, as with `open`."""

    def declare(self, queue: str, expires: int | None = None) -> None:  # noqa: ARG002  (a channel deletes what it made)
        """Make a queue."""
        self._queues.add(queue)

    def has(self, queue: str) -> bool:
        """Whether the queue was declared."""
        return queue in self._queues

    def delete(self, queue: str) -> None:
        """Remove a queue, its bindings and its messages, those that are held too."""
        with self._lock:
            self._queues.discard(queue)
            for exchange, bindings in list(self._bindings.items()):
                kept = {binding: None for binding in bindings if binding[2] != queue}
                self._bindings[exchange] = kept
                if not kept:
                    del self._bindings[exchange]
        self.purge(queue)
        for tag in [tag for tag, (_, _, held_in) in self._held.copy().items() if held_in == queue]:
            self.ack(tag)

    def bind(self, exchange: str, binding: Binding) -> None:
        """Add a binding, once."""
        with self._lock:
            self._bindings.setdefault(exchange, {})[binding] = None

    def unbind(self, exchange: str, binding: Binding) -> None:
        """Remove a binding."""
        with self._lock:
            self._bindings.get(exchange, {}).pop(binding, None)

    def bindings(self, exchange: str) -> Sequence[Binding]:
        """The bindings to an exchange."""
        with self._lock:
            return tuple(self._bindings.get(exchange, ()))

    def put(self, queues: Iterable[str], payload: Payload, priority: int) -> None:
        """Put a message into all of these queues."""
        for queue in queues:
            self._index.insert(uuid7(), payload, queue=queue, priority=priority, lease=ENDLESS)
        self._bell.ring()

    def get(self, queue: str, limit: int) -> Sequence[Delivery]:
        """The first message, or none; a second one would be had as cheaply by a second call."""
        facts = self._index.pop(queue, self._runner, 0, 0) if limit > 0 else None
        if facts is None:
            return ()
        message_id, payload, _, delivery, _ = facts
        tag = f"{self._prefix}{next(self._numbers)}"
        self._held[tag] = message_id, delivery, queue
        return (Delivery(tag, payload, delivery > 1),)

    def ack(self, tag: str) -> None:
        """Remove a held message."""
        if held := self._held.pop(tag, None):
            self._index.remove(held[0], self._runner, held[1])
            self._bell.ring()  # there may be room for another one

    def requeue(self, tags: Iterable[str]) -> None:
        """Let held messages go, each to its old place."""
        for tag in tags:
            if held := self._held.pop(tag, None):
                self._index.release(held[0], self._runner, held[1])
        self._bell.ring()

    def size(self, queue: str) -> int:
        """How many messages nobody holds."""
        messages, held = self._index.queues().get(queue, (0, 0))
        return messages - held

    def purge(self, queue: str) -> int:
        """Remove the messages that nobody holds; how many those were."""
        removed = 0
        while facts := self._index.pop(queue, self._runner, 0, 0):
            self._index.remove(facts[0], self._runner, facts[3])
            removed += 1
        return removed

    def consume(self, queue: str) -> None:
        """Nothing: queues in memory do not expire."""

    def cancel(self, queue: str) -> None:
        """Nothing, as with `consume`."""

    def mark(self) -> object:
        """The number of changes."""
        return self._bell.rings

    def wait(self, mark: object, timeout: float | None) -> None:
        """Wait for a change."""
        assert isinstance(mark, int)  # noqa: S101
        self._bell.wait(mark, LONGEST_WAIT if timeout is None else min(timeout, LONGEST_WAIT))
