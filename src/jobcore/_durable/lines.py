"""Lines: the pops that wait, queue by queue, first come first served. Only the engine's own thread touches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobcore._durable.requests import Pop


class Line:
    """The pops that wait on one queue."""

    __slots__ = ("next_at", "pops", "wanted")

    def __init__(self) -> None:
        self.pops: dict[Pop, None] = {}
        self.wanted = 0
        """How many jobs they would take."""
        self.next_at: int | None = None
        """When the next job comes due or the next lease ends, in microseconds since 1970, as of the last look."""


class Lines:
    """All lines, and which of them have to be looked at."""

    def __init__(self) -> None:
        self.touched: set[str] = set()
        """Queues that may have changed since the last look. A line that is not in here has nothing to take."""
        self._lines: dict[str, Line] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __contains__(self, queue: str) -> bool:
        return queue in self._lines

    def __getitem__(self, queue: str) -> Line:
        return self._lines[queue]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def join(self, pop: Pop) -> None:
        """Enter at the end of the line; the line is then looked at."""
        line = self._lines.setdefault(pop.queue, Line())
        line.pops[pop] = None
        line.wanted += pop.limit
        self.touched.add(pop.queue)

    def leave(self, pop: Pop) -> bool:
        """Leave the line; False if it was not in it."""
        line = self._lines.get(pop.queue)
        if line is None or pop not in line.pops:
            return False
        del line.pops[pop]
        line.wanted -= pop.limit
        if not line.pops:
            del self._lines[pop.queue]
            self.touched.discard(pop.queue)
        return True

    def touch(self, queue: str) -> None:
        """Something in this queue may be there to take."""
        if queue in self._lines:
            self.touched.add(queue)

    def touch_all(self) -> None:
        """Something may be there to take in every queue."""
        self.touched.update(self._lines)

    def touch_due(self, now: int) -> None:
        """As `touch` for the queues in which a job comes due or a lease ends by now."""
        for queue, line in self._lines.items():
            if line.next_at is not None and line.next_at <= now:
                self.touched.add(queue)

    def next_at(self) -> int | None:
        """The earliest `next_at` of all lines."""
        return min((line.next_at for line in self._lines.values() if line.next_at is not None), default=None)

    def pops(self, queues: Iterable[str] | None = None) -> list[Pop]:
        """All who wait, or those on these queues."""
        return [pop for queue in tuple(self if queues is None else queues) for pop in self._lines[queue].pops]
