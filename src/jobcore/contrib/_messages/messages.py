"""`Messages`: queues of messages, in memory or in a file, for libraries that call and wait for the answer.

A message that was got is *held*, under the tag of this one delivery, until it is acknowledged, requeued or buried.
Nobody else gets it meanwhile, and whoever still has the tag of an earlier delivery changes nothing.

Who finds nothing waits in the line of the queue, as `Waiters` has it: each change rings the first in its line, or, in
`wait`, the time comes at which a message is due or a lease is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jobcore.contrib._waiting import Waiters

P = TypeVar("P")
T = TypeVar("T")

LONGEST_REST = 10.0
"""Seconds after which who waits looks again, so that a clock that was set delays nothing longer."""


class Delivery(NamedTuple, Generic[P]):
    """A message that was got."""

    tag: str
    payload: P
    redelivered: bool


class Messages(Protocol[P]):
    """Queues of messages, from any thread. A queue is there while messages are."""

    waiters: Waiters

    def open(self) -> None:
        """Count one more user."""
        ...

    def close(self) -> None:
        """Count one less; after the last one nothing is left running or open, until the next call."""
        ...

    def put(self, queues: Iterable[str], payload: P, priority: int, *, name: str = ..., due: int | None = None) -> None:
        """Put a message into all of these queues, or into none; it can be got from `due` on, microseconds since 1970.

        Higher priorities go first, then what is due earlier.
        """
        ...

    def get(self, queue: str, limit: int) -> Sequence[Delivery[P]]:
        """The first messages, up to so many, which are held from now on."""
        ...

    def ack(self, tag: str) -> None:
        """Remove a held message."""
        ...

    def requeue(self, tags: Iterable[str]) -> None:
        """Let held messages go, each to its old place."""
        ...

    def bury(self, tag: str, queue: str, kept: int) -> None:
        """Move a held message into another queue, and remove from there what died more than `kept` microseconds ago."""
        ...

    def size(self, queue: str) -> int:
        """How many messages nobody holds."""
        ...

    def purge(self, queue: str) -> int:
        """Remove the messages that nobody holds; how many those were."""
        ...

    def wait(self, queue: str, look: Callable[[], T | None], timeout: float) -> T | None:
        """What `look` finds in this queue, as soon as it finds something; None after so many seconds."""
        ...

    def join(self, queue: str, timeout: float | None) -> bool:
        """Wait until no message of this queue is left, held or not; whether it came to that in so many seconds."""
        ...


def emptied(queue: str) -> tuple[str, str]:
    """The line of those who wait for the end of all messages of this queue."""
    return ("emptied", queue)
