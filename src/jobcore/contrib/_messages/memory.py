"""`MemoryMessages`: messages of one process in a `JobIndex`, under leases that never run out.

Who holds a message is in this process, as the message is: a lease that outlived its holder would have nobody to go to.
"""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID, uuid4

from jobcore._ids import uuid7
from jobcore.contrib._forking import ForkAware
from jobcore.contrib._messages.messages import LONGEST_REST, Delivery, P, emptied
from jobcore.contrib._waiting import Waiters
from jobcore.memory import JobIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

T = TypeVar("T")

ENDLESS = 2**61
LATEST = 2**63 - 1


class MemoryMessages(ForkAware, Generic[P]):
    """Queues in memory, for the threads of one process. What `put` is given is what `get` returns: no copy is made."""

    def _begin(self) -> None:
        self.waiters: Waiters = Waiters()
        self._index = JobIndex()
        self._runner = uuid4()
        self._prefix = f"{self._runner}."
        self._numbers = count()
        self._held: dict[str, tuple[UUID, int, str]] = {}

    def open(self) -> None:
        """Nothing: what was sent outlives its users."""

    def close(self) -> None:
        """Nothing, as with `open`."""

    def put(
        self,
        queues: Iterable[str],
        payload: P,
        priority: int,
        *,
        name: str = "",  # noqa: ARG002  (nobody else looks)
        due: int | None = None,
    ) -> None:
        """Put a message into all of these queues."""
        for queue in queues:
            self._index.insert(uuid7(), payload, queue=queue, priority=priority, due=due or 0, lease=ENDLESS)
            self._ring(queue)

    def get(self, queue: str, limit: int) -> Sequence[Delivery[P]]:
        """The first message, or none; a second one would be had as cheaply by a second call."""
        facts = self._index.pop(queue, self._runner, _now(), 0) if limit > 0 else None
        if facts is None:
            return ()
        message_id, payload, _, delivery, _ = facts
        tag = f"{self._prefix}{next(self._numbers)}"
        self._held[tag] = message_id, delivery, queue
        return (Delivery(tag, payload, delivery > 1),)

    def ack(self, tag: str) -> None:
        """Remove a held message."""
        if held := self._held.pop(tag, None):
            message_id, delivery, queue = held
            self._index.remove(message_id, self._runner, delivery)
            self._ring(emptied(queue))

    def requeue(self, tags: Iterable[str]) -> None:
        """Let held messages go, each to its old place."""
        for tag in tags:
            if held := self._held.pop(tag, None):
                message_id, delivery, queue = held
                self._index.release(message_id, self._runner, delivery)
                self._ring(queue)

    def bury(self, tag: str, queue: str, kept: int) -> None:
        """Move a held message into another queue, and remove from there what died more than `kept` microseconds ago."""
        if held := self._held.pop(tag, None):
            message_id, delivery, left = held
            payload: P = self._index.remove(message_id, self._runner, delivery)
            now = _now()
            while (dead := self._index.walk(queue, 1)) and dead[0][2] < now - kept:
                self._index.remove(dead[0][0])
            self.put([queue], payload, 0, due=now)
            self._ring(emptied(left))

    def size(self, queue: str) -> int:
        """How many messages nobody holds."""
        messages, held = self._index.queues().get(queue, (0, 0))
        return messages - held

    def purge(self, queue: str) -> int:
        """Remove the messages that nobody holds; how many those were."""
        removed = 0
        while facts := self._index.pop(queue, self._runner, LATEST, 0):
            self._index.remove(facts[0], self._runner, facts[3])
            removed += 1
        self._ring(emptied(queue))
        return removed

    def wait(self, queue: str, look: Callable[[], T | None], timeout: float) -> T | None:
        """What `look` finds in this queue, as soon as it finds something; None after so many seconds."""
        return self.waiters.wait(queue, look, timeout, lambda: self._until_next(queue))

    def join(self, queue: str, timeout: float | None) -> bool:
        """Wait until no message of this queue is left, held or not; whether it came to that in so many seconds."""
        empty = self.waiters.wait(emptied(queue), lambda: queue not in self._index.queues() or None, timeout)
        self._ring(emptied(queue))  # others may wait for the same
        return empty is not None

    def _until_next(self, queue: str) -> float | None:
        left = self._index.until_next(queue, _now(), 0)
        return None if left is None else min(left / 1e6, LONGEST_REST)

    def _ring(self, line: Hashable) -> None:
        self.waiters.ring(line)


def _now() -> int:
    return time.time_ns() // 1000
