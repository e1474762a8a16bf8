"""Virtual time: a clock that stands still until a test moves it.

A `FakeClock` is both what a storage may take, a `Clock` to read and a `Timer` to wait by, so that a test decides when
time passes and in which order things happen. Nothing here sleeps: `advance` goes from one deadline to the next, and
after each step gives the event loop a fixed number of turns, enough for the consequences to be drawn.

Inside, time is integer nanoseconds. The wall clock is the monotonic one plus an offset, which `jump_wall` changes.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

TURNS = 50
"""Turns of the loop that `settle` takes: several times what a chain of callbacks and tasks needs to run out."""

_BILLION = 1_000_000_000
_MONOTONIC_START = 1_000 * _BILLION
_WALL_START = 1_900_000_000 * _BILLION
_PATIENCE = 10_000


async def settle(turns: int = TURNS) -> None:
    """Let everything run that can run without time passing."""
    for _ in range(turns):
        await asyncio.sleep(0)


class _Alarm:
    """One call of `timeout` that waits: the scope to break off, and the loop on which it waits."""

    def __init__(self, scope: asyncio.Timeout) -> None:
        self.scope = scope
        self.loop = asyncio.get_running_loop()
        self.waits = True

    def fire(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self._expire)
        except RuntimeError:  # its loop is closed: nobody waits there any more
            self.waits = False

    def _expire(self) -> None:
        if self.waits:
            self.scope.reschedule(self.loop.time())


class FakeClock:
    """A clock and a timer on virtual time; it starts in the year 2030. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._monotonic = _MONOTONIC_START
        self._offset = _WALL_START - _MONOTONIC_START
        self._alarms: list[tuple[int, int, _Alarm]] = []
        self._numbers = count()

    def time_ns(self) -> int:
        """Nanoseconds since 1970 on the wall clock."""
        with self._lock:
            return self._monotonic + self._offset

    def monotonic_ns(self) -> int:
        """Nanoseconds on the clock that only goes forward."""
        with self._lock:
            return self._monotonic

    def now(self) -> datetime:
        """The wall clock as an aware datetime (UTC)."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.time_ns() // 1000)

    @property
    def timers(self) -> int:
        """How many calls of `timeout` wait at this moment."""
        with self._lock:
            return sum(alarm.waits for _, _, alarm in self._alarms)

    async def timeout(self, seconds: float, awaitable: Awaitable[T]) -> T:
        """The result of `awaitable`; `TimeoutError`, and the awaitable cancelled, when virtual time passes first."""
        async with asyncio.timeout(None) as scope:
            alarm = _Alarm(scope)
            duration = round(seconds * _BILLION)
            if duration > 0:
                with self._lock:
                    heapq.heappush(self._alarms, (self._monotonic + duration, next(self._numbers), alarm))
            else:
                alarm.fire()
            try:
                return await awaitable
            finally:
                alarm.waits = False

    async def advance(self, seconds: float) -> None:
        """Move both clocks forward, fire each timer at its own time, and let the loop settle after every step."""
        end = self.monotonic_ns() + self._duration(seconds)
        await settle()
        for _ in range(_PATIENCE):
            alarm = self._step(end)
            if alarm is None:
                break
            alarm.fire()
            await settle()
        else:
            raise RuntimeError(f"{_PATIENCE} timers fired in {seconds} seconds: somebody polls")
        await settle()

    def skip(self, seconds: float) -> None:
        """Move both clocks forward at one stroke, as when a machine is suspended.

        The timers whose time has passed fire with the next `advance`.
        """
        duration = self._duration(seconds)
        with self._lock:
            self._monotonic += duration

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward or, with less than 0, back; the monotonic clock and the timers do not move."""
        with self._lock:
            self._offset += round(seconds * _BILLION)

    def _duration(self, seconds: float) -> int:
        if seconds < 0:
            raise ValueError(f"time goes forward, not by {seconds} seconds; jump_wall() sets the wall clock back")
        return round(seconds * _BILLION)

    def _step(self, end: int) -> _Alarm | None:
        """Go to the next deadline and take its alarm, or go to `end`."""
        with self._lock:
            while self._alarms and self._alarms[0][0] <= end:
                deadline, _, alarm = heapq.heappop(self._alarms)
                if alarm.waits:
                    self._monotonic = max(self._monotonic, deadline)
                    return alarm
            self._monotonic = max(self._monotonic, end)
            return None

    def __repr__(self) -> str:
        return f"<FakeClock {self.now().isoformat()}, monotonic {self.monotonic_ns() / _BILLION} s>"
