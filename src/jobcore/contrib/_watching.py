"""What other processes write is heard here, while somebody waits for it.

A thread lives as long as somebody waits, and a moment longer. Each time another process has written it rings everybody,
and they look. It notes what it has seen before it rings, and it begins with a ring: so whoever looked before a write
that it has noted is rung, and looks again.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from jobcore.errors import StorageUnavailable
from jobcore.sqlite.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcore.contrib._waiting import Waiters

_ROUND = 1.0


class Watcher:
    """Rings `waiters` when `version`, a number, has changed; told by the writes to the file at `path`."""

    def __init__(self, path: str, version: Callable[[], int]) -> None:
        self._path = path
        self._version = version
        self._watch = Watch()
        self._thread: threading.Thread | None = None
        self._stops = False

    def begin(self, waiters: Waiters) -> None:
        """Somebody waits; called with the lock of the waiters held."""
        if self._thread is None and not self._stops:
            self._thread = threading.Thread(target=self._run, args=(waiters,), name="jobcore-watcher", daemon=True)
            self._thread.start()

    def stop(self, waiters: Waiters) -> None:
        """End the thread; those who wait find the next one."""
        with waiters.lock:
            thread, self._stops = self._thread, True
        self._watch.ring()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        with waiters.lock:
            self._stops = False
            if waiters:
                self.begin(waiters)

    def _run(self, waiters: Waiters) -> None:
        noted: int | None = None

        def changed() -> bool:
            nonlocal noted
            if self._stops:
                return True
            with suppress(StorageUnavailable):  # those who wait meet it themselves
                version = self._version()
                if version != noted:
                    noted = version
                    waiters.ring_all()
            return False

        self._watch.listen(self._path)
        while True:
            self._watch.sleep(_ROUND, changed)
            with waiters.lock:
                if self._stops or not waiters:
                    self._thread = None
                    return
