"""`Broker`: what the transport asks of the place where messages lie, in memory or in a file.

A message that was got is *held*, under the tag of this one delivery, until it is acknowledged or requeued. Nobody else
gets it meanwhile, and whoever still has the tag of an earlier delivery changes nothing.

A consumer that found nothing waits for a change. It takes the broker's `mark` first, looks, and waits until the mark
differs: what comes between the look and the wait is seen.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kombu.transport.virtual import BrokerState

Payload = dict[str, Any]
"""A message as kombu's virtual transports pass it: body, headers, properties."""

Binding = tuple[str, str | None, str]
"""Routing key, the pattern made of it for exchanges of type topic, queue."""

LONGEST_WAIT = 1.0
"""Seconds after which a consumer that waits looks again, whatever it was told."""


class Delivery(NamedTuple):
    """A message that was got."""

    tag: str
    payload: Payload
    redelivered: bool


class Broker(Protocol):
    """Queues of messages and the bindings to them, shared by the connections of this process; from any thread."""

    state: BrokerState
    """The exchanges that were declared in this process; the bindings are not there."""

    def open(self) -> None:
        """Count one more connection."""
        ...

    def close(self) -> None:
        """Count one less; after the last one nothing is left running or open."""
        ...

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

    def put(self, queues: Iterable[str], payload: Payload, priority: int) -> None:
        """Put a message into all of these queues, or into none."""
        ...

    def get(self, queue: str, limit: int) -> Sequence[Delivery]:
        """The first messages, up to so many, which are held from now on."""
        ...

    def ack(self, tag: str) -> None:
        """Remove a held message."""
        ...

    def requeue(self, tags: Iterable[str]) -> None:
        """Let held messages go, each to its old place."""
        ...

    def size(self, queue: str) -> int:
        """How many messages nobody holds."""
        ...

    def purge(self, queue: str) -> int:
        """Remove the messages that nobody holds; how many those were."""
        ...

    def consume(self, queue: str) -> None:
        """Keep a queue, however soon it expires, until `cancel` was called as often."""
        ...

    def cancel(self, queue: str) -> None:
        """End what `consume` began."""
        ...

    def mark(self) -> object:
        """Something that differs after every change which might let somebody get a message."""
        ...

    def wait(self, mark: object, timeout: float | None) -> None:
        """Wait until the mark differs from this one, for so many seconds and `LONGEST_WAIT` at most."""
        ...


class Bell:
    """Rings of this process, counted."""

    def __init__(self) -> None:
        self.rings = 0
        self._waiting = 0
        self._condition = threading.Condition()

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._condition:
            self.rings += 1
            if self._waiting:
                self._condition.notify_all()

    def wait(self, rings: int, seconds: float) -> bool:
        """Wait for another count than this one; whether it came."""
        with self._condition:
            self._waiting += 1
            try:
                return self._condition.wait_for(lambda: self.rings != rings, seconds)
            finally:
                self._waiting -= 1


class ForkAware:
    """In a forked child it begins anew: what the parent holds is the parent's, and its locks may never be released."""

    def __init__(self) -> None:
        self._begin()
        _fork_aware.add(self)

    def _begin(self) -> None:
        """Make the locks and all that they guard; again in each child."""
        raise NotImplementedError

    def begin_in_child(self) -> None:
        """Begin anew."""
        _left_behind.append(self.__dict__.copy())
        self._begin()


_fork_aware: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_left_behind: list[dict[str, Any]] = []  # a connection of the parent must not even be closed


def _begin_in_child() -> None:
    for broker in list(_fork_aware):
        broker.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
