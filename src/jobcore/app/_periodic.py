"""`App.every`: a push each time an interval has passed, in the process that asked for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jobcore.errors import InvalidJob, InvalidJobType, StorageClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_logger = logging.getLogger("jobcore.app")


class Every:
    """A periodic push. It keeps to its own times: a push that takes long does not delay the ones after it."""

    def __init__(self, interval: timedelta, push: Callable[[], Coroutine[Any, Any, Any]], name: str) -> None:
        if not isinstance(interval, timedelta):
            raise InvalidJobType("interval", "a timedelta", interval)
        if interval <= timedelta(0):
            raise InvalidJob("interval", "must be more than 0")
        self._interval = interval.total_seconds()
        self._push = push
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False

    def start_if_running(self) -> None:
        """Begin, if a loop runs here and it has not begun."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if not self._cancelled and (self._task is None or self._task.done() or self._task.get_loop().is_closed()):
            self._task = loop.create_task(self._run(loop), name=f"every {self._interval} s: {self._name}")

    def stop(self) -> None:
        """End until the app is opened again."""
        task, self._task = self._task, None
        if task is not None and not task.get_loop().is_closed():
            task.get_loop().call_soon_threadsafe(task.cancel)

    def cancel(self) -> None:
        """End for good."""
        self._cancelled = True
        self.stop()

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time()
        while True:
            try:
                await self._push()
            except StorageClosed:
                return
            except Exception:
                _logger.exception("could not push the periodic job %s", self._name)
            passed = max(1, -(-(loop.time() - due) // self._interval))
            due += passed * self._interval
            await asyncio.sleep(due - loop.time())
