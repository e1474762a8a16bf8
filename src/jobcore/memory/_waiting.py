"""Waiting for a job: who is woken, when, and why no wake-up is lost.

Every queue has one `Waitlist` per event loop that has a pop waiting on it. A waitlist belongs to its loop: only code on
that loop touches it, so it needs no lock; other threads reach it through `call_soon_threadsafe`. Which waitlists there
are is kept in `Waitlists`, under a lock.

The promise (design, 4.6): no job that could be popped lies in a queue while somebody waits on it. It rests on one
invariant. For each waitlist with a waiter, at every moment at least one of these is true:

    (a) nothing can be popped, and if something is on its way (a due time, a lease that runs out), the alarm is set for
        that moment or an earlier one, though never further than `LONGEST_ALARM` ahead;
    (b) a look (`look`) is under way: called for, and not yet run;
    (c) the turn is out: the first waiter was woken, or cancelled, and has not run yet.

A look asks the index how long it is until something can be popped. If it is now, it gives the turn to the first waiter
(c); otherwise it sets the alarm (a). No other callback of the loop runs in the middle of it, and between any two looks
the index may change only through the events below. They are all that can make (a) false, and each calls for a look
after it changed the index:

    - a push or a put-back: `Waitlists.changed`, from whatever thread;
    - the alarm itself, when it goes off;
    - a waiter that had the turn and leaves, with a job, by cancellation, by an error or by the garbage collector:
      `leave` looks again, so the turn passes on as long as something can be popped;
    - a waiter that comes, or that had the turn and found nothing (somebody else took the job): `wait` looks.

A pop by somebody who does not wait, a heartbeat and a removal only postpone what the alarm is set for; an alarm that
goes off early looks and is set again. (A pop shortens the wait by a new lease, but what it took had become poppable
before: a look for it is under way, the turn for it is out, or the alarm for it is set, and each ends in a look that
sees the lease.)

What does run in the middle of everything here is a finalizer or a signal handler, and with them a push, or the end of
a pop that the garbage collector finds or Ctrl-C cancels. A look that is called for in the middle of another is not
taken: the outer one is repeated, for what it saw may be out of date; so it is when a waiter leaves in the middle of it,
who may be the one that it is about to wake. (A pop must be collected, if at all, on the thread of its loop, and a
signal handler that Python runs while the loop sleeps does not end the sleep: for that, `loop.add_signal_handler` is
there.)

Registration comes before the check: a waiter enters its waitlist, then tries to pop, then waits. A push that the check
does not see takes the index's lock after it, so it sees the waitlist; so does a closing, which no look would show. The
loop's other waiters cost nothing: one turn is out at a time, a push makes one look, and a look wakes at most one, so
there is no wake-up beyond one a push.

A loop that was closed while a pop waited on it never runs again. Its waitlist is dropped at the next change of the
queue; since each loop has a waitlist of its own, nobody else waits for it, and a loop that is blocked keeps no job from
the waiters of another one.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import InvalidStateError
from asyncio import _get_running_loop as running_loop
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Task, TimerHandle
    from collections.abc import Callable

    from jobcore.storage import Timer

LONGEST_ALARM = 10.0
"""Seconds: a clock that was set, or a machine that slept, delays nothing longer than this."""


class LoopAlarm:
    """An alarm by the loop's own timers: no task, no wake-up before it rings."""

    def __init__(self, loop: AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Ring once, after so many seconds, unless it rings earlier anyway."""
        when = self._loop.time() + seconds
        handle = self._handle
        if handle is not None:
            if handle.when() <= when:
                return
            handle.cancel()
        self._handle = self._loop.call_at(when, self._go_off)

    def cancel(self) -> None:
        """Do not ring."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()

    def _go_off(self) -> None:
        self._handle = None
        self._ring()


class TimerAlarm:
    """An alarm by a `Timer`, which races a future that never comes against its clock, in a task."""

    def __init__(self, loop: AbstractEventLoop, ring: Callable[[], None], timer: Timer) -> None:
        self._loop = loop
        self._ring = ring
        self._timer = timer
        self._task: Task[None] | None = None

    def set(self, seconds: float) -> None:
        """Ring once, after so many seconds; what was set before is forgotten."""
        self.cancel()
        self._task = self._loop.create_task(self._race(seconds))

    def cancel(self) -> None:
        """Do not ring."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _race(self, seconds: float) -> None:
        try:
            await self._timer.timeout(seconds, self._loop.create_future())
        except TimeoutError:
            self._task = None
            self._ring()


class Waiter:
    """One pop that waits."""

    __slots__ = ("woken",)

    def __init__(self, woken: Future[None]) -> None:
        self.woken = woken

    def wake(self) -> None:
        """Wake it, unless it was woken or cancelled before, maybe this very moment."""
        try:  # noqa: SIM105  (suppress() costs more than the rest)
            self.woken.set_result(None)
        except InvalidStateError:
            pass


class Waitlist:
    """The pops that wait on one queue in one event loop, first come first served."""

    def __init__(self, loop: AbstractEventLoop, until_next: Callable[[], float | None], timer: Timer | None) -> None:
        self.loop = loop
        self._until_next = until_next
        self._waiters: dict[Waiter, None] = {}
        self._look_is_called = False
        self._looks = False
        self._looks_again = False
        self._alarm = LoopAlarm(loop, self.look) if timer is None else TimerAlarm(loop, self.look, timer)

    def enter(self) -> Waiter:
        """Join the end of the line."""
        waiter = Waiter(self.loop.create_future())
        self._waiters[waiter] = None
        return waiter

    async def wait(self, waiter: Waiter) -> None:
        """Wait for the turn. The place in the line stays the same from one wait to the next."""
        if waiter.woken.done():
            waiter.woken = self.loop.create_future()
        self.look()
        await waiter.woken

    def leave(self, waiter: Waiter) -> bool:
        """Leave the line; whether nobody is left in it."""
        self._waiters.pop(waiter, None)
        self._looks_again = True
        if self.loop.is_closed():
            return not self._waiters
        if not self._waiters:
            self._alarm.cancel()
            return True
        if waiter.woken.done():
            self.look()
        return False

    def look(self) -> None:
        """Give the turn to the first waiter if something can be popped; set the alarm if something is on its way."""
        self._look_is_called = False
        if self._looks:
            self._looks_again = True
            return
        self._looks = True
        self._looks_again = False
        try:
            waiter = next(iter(self._waiters), None)
            if waiter is None:
                self._alarm.cancel()
                return
            if waiter.woken.done():
                return
            seconds = self._until_next()
            if seconds is None:
                self._alarm.cancel()
            elif seconds > 0:
                self._alarm.set(min(seconds, LONGEST_ALARM))
            else:
                waiter.wake()
        finally:
            self._looks = False
            if self._looks_again:
                self.look()

    def call_look(self) -> bool:
        """Have a look taken, from any thread; False if the loop is closed and no look will be."""
        if self.loop is running_loop():
            self.look()
            return True
        if self.loop.is_closed():
            return False
        # If this flag is up, the look that lowers it takes the index's lock after the change that brought us here.
        if not self._look_is_called:
            self._look_is_called = True
            try:
                self.loop.call_soon_threadsafe(self.look)
            except RuntimeError:  # closed this very moment
                return False
        return True

    def wake_all(self) -> None:
        """Wake every waiter, whatever there is to pop."""
        for waiter in tuple(self._waiters):
            waiter.wake()


class Waitlists:
    """All waitlists of a storage, by queue."""

    def __init__(self, until_next: Callable[[str], float | None], timer: Timer | None) -> None:
        # Tuples are replaced, never changed, so that a reader needs no lock.
        self.by_queue: dict[str, tuple[Waitlist, ...]] = {}
        self._until_next = until_next
        self._timer = timer
        # Reentrant, since the garbage collector may end a forgotten pop, which leaves, wherever memory is allocated.
        self._lock = threading.RLock()

    def join(self, queue: str) -> tuple[Waitlist, Waiter]:
        """Join the line of this queue in the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for waitlist in self.by_queue.get(queue, ()):
                if waitlist.loop is loop:
                    break
            else:
                waitlist = Waitlist(loop, lambda: self._until_next(queue), self._timer)
            waiter = waitlist.enter()
            # After that, since the last of those who waited may have been collected, and the waitlist dropped.
            others = self.by_queue.get(queue, ())
            if waitlist not in others:
                self.by_queue[queue] = (*others, waitlist)
            return waitlist, waiter

    def drop(self, queue: str, waitlist: Waitlist) -> None:
        """Forget a waitlist that nobody waits in."""
        with self._lock:
            others = tuple(other for other in self.by_queue.get(queue, ()) if other is not waitlist)
            if others:
                self.by_queue[queue] = others
            else:
                self.by_queue.pop(queue, None)

    def changed(self, queue: str) -> None:
        """Something in this queue may have become poppable, or will be sooner than before."""
        for waitlist in self.by_queue.get(queue, ()):
            if not waitlist.call_look():
                self.drop(queue, waitlist)

    def wake_all(self) -> None:
        """Wake every waiter on every loop."""
        with self._lock:
            waitlists = [waitlist for group in self.by_queue.values() for waitlist in group]
        for waitlist in waitlists:
            with suppress(RuntimeError):  # its loop is closed
                waitlist.loop.call_soon_threadsafe(waitlist.wake_all)
