# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""The inbox of an engine: requests go in from any event loop, and the engine takes all that are there.

A loop wakes the engine once a turn, at its end, when every task that runs in this turn has put its request in. So a
request costs no wake-up of its own, and the engine's thread does not fight for the interpreter with a loop that is in
the middle of its work. What makes a caller wait for the engine alone (`AT_ONCE`) wakes it at once.

A loop in `_waking` has a wake-up on its way that comes after whatever it puts in: `take` forgets the loops before it
empties the inbox, so a loop that it finds there afterwards has woken, or will wake, the engine once more.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from jobcore._durable.requests import Request

AT_ONCE = frozenset({"undo", "close"})
"""Verbs that may come from elsewhere than their loop, which may be closed."""


class Inbox:
    """Requests in the order in which they came; `wake` is called from any thread when there are some."""

    __slots__ = ("_requests", "_wake", "_waking")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._requests: deque[Request] = deque()
        self._wake = wake
        self._waking: set[AbstractEventLoop] = set()

    def __bool__(self) -> bool:
        return bool(self._requests)

    def put(self, request: Request) -> None:
        """Put a request in; in its own loop, unless its verb is one of `AT_ONCE`."""
        self._requests.append(request)
        if request.verb in AT_ONCE:
            self._wake()
        elif request.loop not in self._waking:
            self._waking.add(request.loop)
            request.loop.call_soon(self._wake)

    def take(self, limit: int) -> list[Request]:
        """Take out the first requests, up to so many: the engine, and at its end whoever comes too late."""
        self._waking.clear()
        taken: list[Request] = []
        with suppress(IndexError):
            while len(taken) < limit:
                taken.append(self._requests.popleft())
        return taken
