"""A bridge from programs without an event loop: Django, Flask, scripts, threads.

There is no second implementation of anything: the coroutine that an async program would await runs on an event loop in
a thread, behind a portal of anyio's. One bridge may be shared by all threads of a process.

The thread is started here, and not by anyio's `start_blocking_portal`: that is a generator, which a forked child would
close when it forgets it, and then wait for ever for a thread that it does not have.
"""

from __future__ import annotations

import atexit
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType
    from typing import Self

T = TypeVar("T")


class Blocking:
    """Calls coroutines from code that is none: `blocking(thumbnail.push("cat.png"))` returns when it is pushed.

    The thread starts with the first call and ends with `close()`, as a context manager does, or with the process. In
    a forked child a new one starts.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._portal: BlockingPortal | None = None
        self._thread: threading.Thread | None = None

    def __call__(self, coroutine: Coroutine[Any, Any, T]) -> T:
        result: T = self._open().call(_awaited, coroutine)
        return result

    def close(self) -> None:
        """End the thread; a later call starts another."""
        self._leave_to_parent()
        with self._lock:
            portal, self._portal = self._portal, None
            thread, self._thread = self._thread, None
            atexit.unregister(self.close)
        if portal is not None and thread is not None:
            portal.call(portal.stop)
            thread.join()

    def _leave_to_parent(self) -> None:
        """In a forked child, begin anew: the thread is not here, and the lock may have been held by another one."""
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), threading.Lock()
            self._portal = self._thread = None

    def _open(self) -> BlockingPortal:
        self._leave_to_parent()
        with self._lock:
            if self._portal is None:
                opened: Future[BlockingPortal] = Future()
                self._thread = threading.Thread(target=_serve, args=(opened,), name="jobcore blocking", daemon=True)
                self._thread.start()
                self._portal = opened.result()
                atexit.register(self.close)
            return self._portal

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


async def _awaited(coroutine: Coroutine[Any, Any, T]) -> T:
    return await coroutine


def _serve(opened: Future[BlockingPortal]) -> None:
    """Run an event loop until the portal is stopped."""

    async def serve() -> None:
        async with BlockingPortal() as portal:
            opened.set_result(portal)
            await portal.sleep_until_stopped()

    try:
        anyio.run(serve)
    except BaseException as error:
        if opened.done():
            raise
        opened.set_exception(error)
