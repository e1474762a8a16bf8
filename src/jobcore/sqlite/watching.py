"""The sleep of the writer's thread: it ends when somebody rings, or when another process has written.

That another connection has committed is told by `PRAGMA data_version`, and by nothing else; this file decides when to
look. On Linux the kernel tells of each write to the write-ahead log (inotify), so a process that waits sleeps until
then, and looks once in `NET` seconds for safety's sake. Elsewhere it looks every `WATCH` seconds.

What is heard comes before what is waited for: a commit appends to the log, syncs it, and only then shows. So a write
that was heard begins a row of looks, the first after `FIRST` seconds and each pause twice as long as the one before,
up to `WATCH`; after `SETTLED` seconds without another write the sleep is deep again. This connection's own writes are
heard as well, and forgotten when its commit has ended: what others had written before shows since its transaction
began. What they begin to write in that very moment may be forgotten with it, so a row follows here, too, from
`FIRST_AFTER_OWN` on. Where others write without end, looks are paid for from a budget of `RATE` a second, so that
waiting takes no notable part of a core.
"""

from __future__ import annotations

import os
import select
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WATCH = 0.025
NET = 1.0
FIRST = 0.000_25
FIRST_AFTER_OWN = 0.004
SETTLED = 0.25
RATE = 1000.0
BURST = 100.0

_LISTENABLE = 0.001
"""The shortest pause for which one can listen: `poll` counts in milliseconds. In a shorter one a ring is enough."""
_IN_MODIFY = 2
_ALL_EVENTS = 65_536


class Watch:
    """Sleeps until a ring, a moment, or a change of the database. Only `ring` is for any thread."""

    def __init__(self) -> None:
        self._bell = threading.Lock()  # held but for the moment between a ring and its notice
        self._bell.acquire()
        self._ear: Ear | None = None
        self._listens = False
        self._pause = WATCH
        self._heard_at = 0.0
        self._budget = BURST
        self._paid_at = time.monotonic()

    def ring(self) -> None:
        """End the sleep, or the next one as it begins."""
        with suppress(RuntimeError):  # it rings already
            self._bell.release()
        ear = self._ear
        if self._listens and ear is not None:
            ear.ring()

    def listen(self, path: str) -> None:
        """Hear what is written to this file from now on, and to no other."""
        self._ear = open_ear(path)
        self._hear()

    def deafen(self) -> None:
        """Hear nothing any more."""
        self._ear = None

    def forget(self) -> None:
        """What was heard until now was this connection's own commit, or shows in what it has looked at."""
        if self._ear is not None:
            self._ear.forget()
            self._heard_at = time.monotonic()
            self._pause = FIRST_AFTER_OWN

    def rest(self, seconds: float | None) -> None:
        """Sleep until a ring, or for so long; None for as long as it takes."""
        self._bell.acquire(timeout=-1 if seconds is None else seconds)

    def sleep(self, seconds: float, changed: Callable[[], bool]) -> None:
        """Sleep until a ring, or `changed`, or for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._wait(min(self._next_pause(), left)) or changed():
                return

    def _next_pause(self) -> float:
        """Between two looks; the one that follows is paid for, also where a ring makes it needless."""
        now = time.monotonic()
        self._budget = min(BURST, self._budget + (now - self._paid_at) * RATE) - 1
        self._paid_at = now
        if self._budget < 0:
            return WATCH
        pause = self._pause
        if self._ear is not None and now - self._heard_at > SETTLED:
            self._pause = NET
        else:
            self._pause = min(2 * pause, WATCH)
        return pause

    def _wait(self, seconds: float) -> bool:
        """Whether it rang in this time, which also ends when something is heard."""
        ear = self._ear
        if ear is None or seconds < _LISTENABLE or self._budget < 0:
            return self._bell.acquire(timeout=seconds)
        # Whoever rings sets the bell free before he asks whether one listens; here it is the other way round, so that
        # he either rings the ear or has set the bell free before it is tried.
        self._listens = True
        rang = self._bell.acquire(blocking=False)
        rang_ear, heard = ear.wait(0 if rang else seconds)
        self._listens = False
        if rang_ear:  # this ring set the bell free as well, and is noticed
            self._bell.acquire(blocking=False)
        if heard:
            self._hear()
        return rang or rang_ear

    def _hear(self) -> None:
        self._heard_at = time.monotonic()
        self._pause = FIRST


class Ear:
    """What `poll` can wait for: a change of one file, and a ring. Linux alone has both."""

    def __init__(self, changes: int, door: int) -> None:
        self._changes = changes
        self._door = door
        self._poll = select.poll()
        self._poll.register(changes, select.POLLIN)
        self._poll.register(door, select.POLLIN)

    def __del__(self) -> None:
        # Not earlier: a number that was closed may be another file's by the time somebody rings.
        os.close(self._changes)
        os.close(self._door)

    def ring(self) -> None:
        """End the wait, or the next one."""
        os.eventfd_write(self._door, 1)

    def forget(self) -> None:
        """Let no write of before end the next wait."""
        with suppress(BlockingIOError):  # there was none
            os.read(self._changes, _ALL_EVENTS)

    def wait(self, seconds: float) -> tuple[bool, bool]:
        """Whether it rang within this time, and whether the file was written to."""
        ready = {number for number, _ in self._poll.poll(seconds * 1000)}
        if self._door in ready:
            os.eventfd_read(self._door)
        if self._changes in ready:
            os.read(self._changes, _ALL_EVENTS)
        return self._door in ready, self._changes in ready


def open_ear(path: str) -> Ear | None:
    """An ear for this file; None where the kernel has no such thing, or no more of it to give."""
    try:
        import ctypes  # noqa: PLC0415  (who keeps no jobs in a file has no use for it, and some Pythons lack it)

        libc = ctypes.CDLL(None)
        begin, add = libc.inotify_init1, libc.inotify_add_watch
        door = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    except (ImportError, AttributeError, TypeError, OSError):  # TypeError: Windows loads no library without a name
        return None
    changes = begin(os.O_NONBLOCK | os.O_CLOEXEC)
    if changes < 0:
        os.close(door)
        return None
    ear = Ear(changes, door)
    return ear if add(changes, os.fsencode(path), _IN_MODIFY) >= 0 else None
