"""How a worker process ends: in time, with exit code 0, whatever its handlers do.

The worker stops by itself, within its grace. What it cannot end is a thread that hangs, or a handler that blocks the
loop. So the first signal sets a watchdog, a daemon thread, which ends the process when the grace is over for long. The
signals are handled in Python and not by the loop, since the loop may be what hangs.

The main thread handles a signal when it comes back to Python code, and where it sleeps, for the signal wakes it. It
does neither while it is in a library that goes on after signals, nor when the signal came just before it fell asleep.
So a thread is told too, by the interpreter itself, and handles what the main thread does not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

    from jobcore.worker import Worker

_logger = logging.getLogger("jobcore.cli")

MARGIN = 0.9
"""Seconds that a worker has to end when its grace is over."""

HANDLED_IN = 0.1
"""Seconds that the main thread has to handle a signal."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Ends this process; from signals, or from another thread by `request`."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._asked = 0
        self._worker: Worker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handled = 0
        self._overtaken = 0
        told, teller = socket.socketpair()
        teller.settimeout(0)
        signal.set_wakeup_fd(teller.detach(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(told,), name="jobcore-signals", daemon=True).start()
        for number in _SIGNALS:
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
        if self._overtaken:
            self._overtaken -= 1
            return
        self._handled += 1
        self.request(signal.Signals(number).name)

    def _watch(self, told: socket.socket) -> None:
        came = 0
        while number := told.recv(1):
            if number[0] not in _SIGNALS:
                continue
            came += 1
            time.sleep(HANDLED_IN)
            if self._handled < came:
                self._handled += 1
                self._overtaken += 1
                self.request(signal.Signals(number[0]).name)

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
