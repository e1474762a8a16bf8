"""Deterministic schedules: an event loop that does nothing by itself, and a search through everything it may do.

What an asyncio program does depends on the order in which the loop's callbacks run, on when other threads act, and on
when time passes. A `Loop` takes all of that out of the program: it keeps its callbacks and timers in lists, and
whoever tests decides which of them runs next. It is the loop of a thread that this process does not have: another
thread is played by running its calls with no running loop set, or another one, in this very thread. A call from there
that does not go through `call_soon_threadsafe` is an error, as in asyncio's debug mode.

A schedule is then nothing but the sequence of answers to the question "what next?" (`Choices`). `explore` goes through
all sequences depth first: it plays a scene from its beginning with the answers that are given, answers 0 from there on,
and then goes back to the last question that has an answer left. So it needs no copy of any state, and a schedule can
be played again by its numbers.

Time is an integer, in microseconds, so that no alarm rings early by rounding.
"""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop as running_loop
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextvars import Context

START = 1_000_000_000
"""What the monotonic clock shows first; the wall clock shows a time in 2030."""
WALL = 1_900_000_000_000_000


class VirtualClock:
    """The clock of storages and loops, which somebody moves."""

    def __init__(self) -> None:
        self.now = START
        self.offset = WALL - START

    def time_ns(self) -> int:
        return (self.now + self.offset) * 1000

    def monotonic_ns(self) -> int:
        return self.now * 1000


class LoopTimer:
    """A `Timer` by the timers of the running loop."""

    async def timeout(self, seconds: float, awaitable: Any) -> Any:
        async with asyncio.timeout(seconds):
            return await awaitable


class _Future(asyncio.Future[Any]):
    """Tells its loop when it wakes whoever awaits it."""

    def set_result(self, result: Any) -> None:
        awaited = bool(self._callbacks)
        super().set_result(result)
        loop = self.get_loop()
        assert isinstance(loop, Loop)
        loop.wakes += awaited


class Loop(asyncio.AbstractEventLoop):
    """An event loop that runs a callback, or lets a timer ring, when it is told to."""

    def __init__(self, clock: VirtualClock, fail: Callable[[str], None], early: int = 0) -> None:
        self.ready: deque[asyncio.Handle] = deque()
        self.wakes = 0
        """How many futures that somebody awaited got a result."""
        self.rings = 0
        """How many timers rang."""
        self._clock = clock
        self._fail = fail
        self._early = early
        self._timers: list[tuple[int, asyncio.TimerHandle]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._closed = False

    def timers(self) -> list[int]:
        """When the timers that are set will ring."""
        self._timers = [(when, handle) for when, handle in self._timers if not handle.cancelled()]
        return [when for when, _ in self._timers]

    def ring(self) -> None:
        """Make ready whose time has come, or will within `early` microseconds."""
        self.timers()
        now = self._clock.now + self._early
        rung = sorted((timer for timer in self._timers if timer[0] <= now), key=lambda timer: timer[0])
        self._timers = [timer for timer in self._timers if timer[0] > now]
        self.rings += len(rung)
        self.ready.extend(handle for _, handle in rung)

    def runnable(self) -> int:
        """How many callbacks are ready."""
        while self.ready and self.ready[0].cancelled():
            self.ready.popleft()
        return len(self.ready)

    def run(self, place: int = 0) -> None:
        """Run one of the callbacks that are ready: asyncio's own loop would take the first."""
        handle = self.ready[place]
        del self.ready[place]
        if not handle.cancelled():
            handle._run()

    # What asyncio asks of a loop; the rest is left out.

    def time(self) -> float:
        return self._clock.now / 1e6

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self.ready.clear()
        self._timers.clear()
        for task in self._tasks:
            vars_of: Any = task
            vars_of._log_destroy_pending = False

    def collect(self) -> None:
        """End the tasks of this loop, after it was closed, as the garbage collector would."""
        for task in self._tasks:
            coroutine: Any = task.get_coro()
            coroutine.close()

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self._check_thread()
        return self._add(callback, args, context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return self._add(callback, args, context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._check_thread()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers.append((round(when * 1e6), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, **options)
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self._fail(f"the loop caught: {context}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:  # noqa: ARG002  (asyncio calls it so)
        self._check_thread()

    def _add(self, callback: Callable[..., object], args: Any, context: Context | None) -> asyncio.Handle:
        if self._closed:
            raise RuntimeError("Event loop is closed")
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def _check_thread(self) -> None:
        if running_loop() is not self and not self._closed:
            self._fail("a loop was touched from another thread")


class Choices:
    """The answers to "what next?": those that are given, then 0."""

    def __init__(self, given: Sequence[int] = ()) -> None:
        self.given = given
        self.trail: list[tuple[int, int]] = []
        """What was answered, and out of how many."""

    def choose(self, count: int) -> int:
        """One of 0, 1, ... count - 1."""
        place = len(self.trail)
        choice = self.given[place] if place < len(self.given) else 0
        self.trail.append((choice, count))
        return choice


def explore(play: Callable[[Choices], None], most: int = 1_000_000) -> int:
    """Play every schedule, or the first so many; their number."""
    given: list[int] | None = []
    number = 0
    while given is not None and number < most:
        choices = Choices(given)
        play(choices)
        number += 1
        given = _following(choices.trail)
    return number


def _following(trail: list[tuple[int, int]]) -> list[int] | None:
    for place in range(len(trail) - 1, -1, -1):
        choice, count = trail[place]
        if choice + 1 < count:
            return [*(choice for choice, _ in trail[:place]), choice + 1]
    return None


def finish(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that does not wait."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")
