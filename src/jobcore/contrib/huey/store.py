"""What a `JobcoreStorage` stands on: the same few things in memory and in a file.

Each call is atomic, from any thread. Times are microseconds since 1970. One in a file begins anew in a forked child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jobcore.contrib._waiting import Waiters

Key = str | bytes


class Store(Protocol):
    """A queue, a schedule, values by key, and counters."""

    waiters: Waiters
    """Who waits for something here; whoever brings it rings."""

    def push(self, data: bytes, priority: int) -> None:
        """Put data into the queue: before what has a lower priority, behind all else."""
        ...

    def pop(self) -> bytes | None:
        """Take the first out of the queue."""
        ...

    def queued(self, limit: int | None) -> list[bytes]:
        """What is in the queue, in its order."""
        ...

    def queue_size(self) -> int:
        """How much that is."""
        ...

    def clear_queue(self) -> None:
        """Empty it."""
        ...

    def schedule(self, data: bytes, due: int) -> None:
        """Put data into the schedule."""
        ...

    def take_due(self, until: int) -> list[bytes]:
        """Take out of the schedule what is due by then, the soonest first."""
        ...

    def scheduled(self, limit: int | None) -> list[bytes]:
        """What is in the schedule, the soonest first."""
        ...

    def schedule_size(self) -> int:
        """How much that is."""
        ...

    def clear_schedule(self) -> None:
        """Empty it."""
        ...

    def put(self, key: Key, value: bytes) -> None:
        """Keep a value under this key, in place of any other."""
        ...

    def put_new(self, key: Key, value: bytes, expires: int | None) -> bool:
        """Keep a value under this key, maybe until some time, if there is none; whether there was none."""
        ...

    def get(self, key: Key) -> bytes | None:
        """The value of this key."""
        ...

    def take(self, key: Key) -> bytes | None:
        """Take the value of this key out."""
        ...

    def values(self) -> dict[Key, bytes]:
        """All of them."""
        ...

    def clear_values(self) -> None:
        """Forget them."""
        ...

    def add(self, key: Key, amount: int) -> int:
        """Add to the counter of this key, which is 0 if it is new; what it is then."""
        ...

    def counters(self) -> dict[Key, int]:
        """All of them."""
        ...

    def drop_counter(self, key: Key) -> None:
        """Forget this counter."""
        ...

    def clear_counters(self) -> None:
        """Forget all of them."""
        ...

    def close(self) -> bool:
        """Let go of what is open, until the next call; whether anything was."""
        ...
