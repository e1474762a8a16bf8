"""`MemoryBroker`: `MemoryMessages`, with the queues and bindings of AMQP."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kombu.transport.virtual import BrokerState

from jobcore.contrib._messages.memory import MemoryMessages
from jobcore.contrib.kombu._broker import Binding, Payload

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


class MemoryBroker(MemoryMessages[Payload]):
    """Queues in memory, for the connections and threads of one process."""

    def _begin(self) -> None:
        super()._begin()
        self.state = BrokerState()
        self._lock = threading.Lock()  # over the bindings and the queues; the index has its own
        self._queues: set[str] = set()
        self._bindings: dict[str, dict[Binding, None]] = {}

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

    def consume(self, queue: str) -> None:
        """Nothing: queues in memory do not expire."""

    def cancel(self, queue: str) -> None:
        """Nothing, as with `consume`."""

    def _ring(self, line: Hashable) -> None:  # noqa: ARG002  (there is but one)
        self.waiters.ring_all()
