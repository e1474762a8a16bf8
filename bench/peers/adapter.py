"""What is asked of every peer, ours included: to take jobs, to carry them out, and to say what is left of them.

An adapter is small, and runs its peer in the way that the peer's documentation recommends for speed. A job is a number
and the moment at which it was sent; to carry it out is to call `Probe.begin`, and for the longer kind then to pause for
a millisecond. Nothing is stopped or closed: when a process has told its result, it ends. Everything else is measured
from outside, alike for all (`measures.py`). What a peer needs is imported where it is used, since the classes are read
where no peer is installed.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

HANDLED, STOP, READY = range(3)
"""What stands where in the memory that producer and worker share."""

Jobs = list[tuple[int, int]]


class Probe:
    """Sees the jobs begin, on whatever thread."""

    def __init__(self, shared: memoryview) -> None:
        self.shared = shared
        self.began = 0
        """When the first job began, by the monotonic clock, in nanoseconds."""
        self.pickups: list[tuple[int, int]] = []
        """When jobs were sent and when they began, for those that say when they were sent."""
        self._numbers = itertools.count(1)

    def begin(self, sent: int) -> None:
        """A job begins."""
        now = time.monotonic_ns()
        if not self.began:
            self.began = now
        if sent:
            self.pickups.append((sent, now))
        self.shared[HANDLED] = next(self._numbers)  # atomic, as `+= 1` is not

    @property
    def handled(self) -> int:
        """Jobs that began."""
        return int(self.shared[HANDLED])


class Adapter:
    """A peer, opened on an empty place."""

    title: ClassVar[str]
    note: ClassVar[str]
    """How it is run, and what it does less than jobcore."""
    distributions: ClassVar[tuple[str, ...]] = ()
    """Those whose versions belong to a figure."""
    imports: ClassVar[str]
    """The statement by which a program imports it."""
    against: ClassVar[str] = ""
    """Which of ours it is compared with; empty for ours."""
    environment: ClassVar[str] = "peers"
    variables: ClassVar[dict[str, str]] = {}
    """Set in the environment of its processes."""
    is_peer: ClassVar[bool] = True
    """Whether it is somebody else's, and no limit of what can be."""
    loop: ClassVar[str] = "asyncio"
    """Which event loop it recommends: asyncio or uvloop."""
    jobs: ClassVar[int]
    """As many as it carries out in about a second."""
    at_once: ClassVar[int] = 100
    """Jobs that its worker holds at once where that is no matter of the measurement."""
    leaves_out: ClassVar[tuple[str, ...]] = ()
    """What is not measured of it, since it has no such thing."""
    instead: ClassVar[tuple[str, ...]] = ()
    """What it measures in a way of its own."""

    working: Any = None
    """What has to be kept for as long as the worker works."""

    def __init__(self, place: str, probe: Probe, pause: float, at_once: int) -> None:
        self.place = place
        self.probe = probe
        self.pause = pause
        self.concurrency = at_once or self.at_once

    async def open(self) -> None:
        """Connect, make the tables."""

    def enqueue(self, number: int, sent: int) -> Awaitable[Any] | None:
        """Push one job; a plain call in a peer whose calls are plain."""
        raise NotImplementedError

    enqueue_many: Callable[[Jobs], Awaitable[Any] | None] | None = None
    """Push many at once, where it can."""

    async def work(self) -> None:
        """Start a worker, which carries jobs out until the process ends."""
        raise NotImplementedError

    async def unfinished(self) -> int:
        """Jobs that were pushed and not acknowledged."""
        raise NotImplementedError

    async def size(self) -> int:
        """Bytes that the jobs take, in memory or on the disk."""
        raise NotImplementedError

    async def cycle(self, times: int) -> None:
        """Push, take and acknowledge one job, so many times, one after the other; for data structures."""
        raise NotImplementedError

    async def hold(self, count: int) -> None:
        """Take so many jobs and keep them; for data structures."""
        raise NotImplementedError

    async def measure(self, name: str, plan: Any) -> dict[str, Any] | None:  # noqa: ARG002
        """A measurement in a way of its own; None for the common one."""
        return None

    async def handle(self, sent: int) -> None:
        """A job, for peers that await them."""
        self.probe.begin(sent)
        if self.pause:
            await asyncio.sleep(self.pause)

    def handle_in_thread(self, sent: int) -> None:
        """A job, for peers that call them."""
        self.probe.begin(sent)
        if self.pause:
            time.sleep(self.pause)


def numbered(count: int, start: int = 0) -> Jobs:
    """Jobs that do not say when they were sent."""
    return [(number, 0) for number in range(start, start + count)]


def chunks(jobs: Sequence[tuple[int, int]], size: int) -> list[Jobs]:
    """In batches."""
    return [list(jobs[at : at + size]) for at in range(0, len(jobs), size)]
