"""When a runner that always finds work must let its event loop run.

A pop that finds a job returns without suspending, so a runner whose handlers never wait would keep its loop for itself.
Every loop gets a turn at least every `BREATH`, however many loops and runners share a storage. A pop compares the
clock with one number (`next_at`, the earliest moment at which some loop is due); only past it does it look further.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

BREATH = 2_000
"""Microseconds."""


class Breaths:
    """The loops that pop from a storage, and when each of them is due."""

    def __init__(self) -> None:
        self.next_at = 0
        self._due: dict[AbstractEventLoop, int] = {}
        self._lock = threading.Lock()

    def take(self, now: int) -> bool:
        """Whether the running loop is due; its next breath is then one `BREATH` away."""
        loop = asyncio.get_running_loop()
        with self._lock:
            due = now >= self._due.get(loop, now)
            if due:
                # A loop that did not pop for a while is forgotten.
                self._due = {other: at for other, at in self._due.items() if at > now}
                self._due[loop] = now + BREATH
            self.next_at = min((at for at in self._due.values() if at > now), default=now + BREATH)
            return due
