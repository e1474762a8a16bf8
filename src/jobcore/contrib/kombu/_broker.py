"""`Broker`: what the transport asks of the place where messages lie, in memory or in a file.

It is `Messages` with what AMQP adds to it: exchanges, bindings, queues that are declared and expire. A consumer waits
for any of its queues, which it does not name; so whoever waits is woken by every change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from jobcore.contrib._messages.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kombu.transport.virtual import BrokerState

Payload = dict[str, Any]
"""A message as kombu's virtual transports pass it: body, headers, properties."""

Binding = tuple[str, str | None, str]
"""Routing key, the pattern made of it for exchanges of type topic, queue."""


class Broker(Messages[Payload], Protocol):
    """Queues of messages and the bindings to them, shared by the connections of this process; from any thread."""

    state: BrokerState
    """The exchanges that were declared in this process; the bindings are not there."""

    def declare(self, queue: str, expires: int | None = None) -> None:
        """Make a queue, which goes when nobody has used it for so many microseconds."""
        ...

    def has(self, queue: str) -> bool:
        """Whether the queue was declared."""
        ...

    def delete(self, queue: str) -> None:
        """Remove a queue, its bindings and its messages."""
        ...

    def bind(self, exchange: str, binding: Binding) -> None:
        """Add a binding, once."""
        ...

    def unbind(self, exchange: str, binding: Binding) -> None:
        """Remove a binding."""
        ...

    def bindings(self, exchange: str) -> Sequence[Binding]:
        """The bindings to an exchange."""
        ...

    def consume(self, queue: str) -> None:
        """Keep a queue, however soon it expires, until `cancel` was called as often."""
        ...

    def cancel(self, queue: str) -> None:
        """End what `consume` began."""
        ...
