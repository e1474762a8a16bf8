"""`Keeper`: the thread that writes down acknowledgements, and keeps leases alive while messages are worked on.

Nobody waits for an acknowledgement, and each would cost a sync of its own: so they gather for `GATHER` seconds, and the
thread writes those that are there in one transaction, unless another one has carried them meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GATHER = 0.005

_logger = logging.getLogger("jobcore")


class Keeper:
    """Calls `flush` when it was woken and `beat` every so many seconds, on a thread of its own, until `stop`."""

    def __init__(self, interval: float, flush: Callable[[], None], beat: Callable[[], None]) -> None:
        self._interval = interval
        self._flush = flush
        self._beat = beat
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobcore-keeper", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Flush soon."""
        self._bell.set()

    def stop(self) -> None:
        """End the thread, after what it is doing."""
        self._stopping.set()
        self._bell.set()
        self._thread.join()

    def _run(self) -> None:
        beat_at = time.monotonic() + self._interval
        while not self._stopping.is_set():
            if self._bell.wait(max(0, beat_at - time.monotonic())):
                self._stopping.wait(GATHER)
            self._bell.clear()
            try:
                self._flush()
                if time.monotonic() >= beat_at:
                    self._beat()
            except Exception:  # whatever it is, the next leases are to be renewed
                _logger.exception("leases and acknowledgements have to wait")
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + self._interval
