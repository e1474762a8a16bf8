"""Threads that wait for something to come, without looking again and again.

A waiter joins the line of a key, and only then looks. Whoever brings something puts it where they look, and only then
rings the first in the line. Both places are guarded by a lock there, so one of both sees the other, even where threads
run at once, and nothing lies there while somebody waits for it.

What comes by itself, at a known time, rings nobody: a waiter asks `until` when that is, after each look.

A ring that its waiter has no use for, since it found something else, was too late or was interrupted, goes on to the
next in the line. A ring without reason costs a look. A waiter comes back to the end of the line each time: no order
among waiters is promised.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Waiters:
    """The lines; `on_wait` is called with `lock` held whenever somebody joins one."""

    def __init__(self, on_wait: Callable[[], None] = lambda: None) -> None:
        self.lock: threading.RLock = threading.RLock()  # the garbage collector may run anything, even in here
        self._lines: dict[Hashable, deque[threading.Lock]] = {}
        self._on_wait = on_wait

    def __bool__(self) -> bool:
        return bool(self._lines)

    def wait(
        self,
        key: Hashable,
        look: Callable[[], T | None],
        timeout: float | None,
        until: Callable[[], float | None] = lambda: None,
    ) -> T | None:
        """What `look` finds, as soon as it finds something; None after so many seconds.

        After as many as `until` says, it looks again without a ring.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            bell = self._join(key)
            rung = False
            try:
                found = look()
                left = None if deadline is None else deadline - time.monotonic()
                if found is not None or (left is not None and left <= 0):
                    return found
                rung = bell.acquire(timeout=min((rest for rest in (left, until()) if rest is not None), default=-1))
            finally:
                self._leave(key, bell, rung=rung)

    def ring(self, key: Hashable) -> None:
        """Let the first who waits for this look again."""
        if not self._lines:
            return
        with self.lock:
            line = self._lines.get(key)
            if line:
                line.popleft().release()
                if not line:
                    del self._lines[key]

    def ring_all(self) -> None:
        """Let everybody look again."""
        with self.lock:
            lines, self._lines = self._lines, {}
            for line in lines.values():
                for bell in line:
                    bell.release()

    def _join(self, key: Hashable) -> threading.Lock:
        bell = threading.Lock()
        bell.acquire()
        with self.lock:
            self._lines.setdefault(key, deque()).append(bell)
            self._on_wait()
        return bell

    def _leave(self, key: Hashable, bell: threading.Lock, *, rung: bool) -> None:
        with self.lock:
            line = self._lines.get(key)
            if line and bell in line:
                line.remove(bell)
                if not line:
                    del self._lines[key]
            elif not rung:
                self.ring(key)
