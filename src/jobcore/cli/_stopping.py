"""How a worker process ends: in time, with exit code 0, whatever its handlers do.

The worker stops by itself, within its grace. What it cannot end is a thread that hangs, or a handler that blocks the
loop. So the first signal sets a watchdog, a daemon thread, which ends the process when the grace is over for long. The
signals are handled in Python and not by the loop, since the loop may be what hangs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

    from jobcore.worker import Worker

_logger = logging.getLogger("jobcore.cli")

MARGIN = 0.9
"""Seconds that a worker has to end when its grace is over."""


class Stopping:
    """Ends this process; from signals, or from another thread by `request`."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._asked = 0
        self._worker: Worker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)

    async def run(self, worker: Worker) -> None:
        """Have the worker run until it is stopped."""
        self._loop, self._worker = asyncio.get_running_loop(), worker
        try:
            await worker.run(signals=False)
        finally:
            if not self._asked:
                self._leave_in(MARGIN, code=1)

    def request(self, why: str) -> None:
        """Stop; asked again, stop now."""
        self._asked += 1
        if self._loop is None or self._worker is None:
            leave()
        with suppress(RuntimeError):  # the loop is closed: all is over
            self._loop.call_soon_threadsafe(self._stop, self._worker, why, self._asked)
        self._leave_in(MARGIN + (self._grace if self._asked == 1 else 0))

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self.request(signal.Signals(number).name)

    def _stop(self, worker: Worker, why: str, times: int) -> None:
        how = f"stopping, with {self._grace:g} s for what runs" if times == 1 else "stopping now"
        _logger.info("%s: %s", why, how)
        worker.stop()

    def _leave_in(self, seconds: float, code: int = 0) -> None:
        watchdog = threading.Timer(min(seconds, threading.TIMEOUT_MAX), leave, [code])
        watchdog.daemon = True
        watchdog.start()


def leave(code: int = 0) -> NoReturn:
    """End the process as it is; what it still holds is left to its leases."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
