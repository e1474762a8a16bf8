"""Tells the event handlers of an app what happened; what they raise is logged and disturbs nobody."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING

from jobcore.app import JobEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from uuid import UUID

    from jobcore.app._events import EventHandler, EventKind
    from jobcore.jobs import JobInfo

_logger = logging.getLogger("jobcore.worker")


class Emitter:
    """Calls the handlers: plain ones at once, async ones in tasks of their own."""

    def __init__(self, handlers: Mapping[EventKind, Sequence[EventHandler]], runner_id: UUID) -> None:
        self.handlers = handlers
        self._runner_id = runner_id
        self._tasks: set[asyncio.Task[None]] = set()

    def emit(
        self, kind: EventKind, job: JobInfo, error: str | None = None, exception: BaseException | None = None
    ) -> None:
        """Tell all who asked for this kind."""
        for handler in self.handlers.get(kind, ()):
            event = JobEvent(kind, job, self._runner_id, error, exception)
            try:
                result = handler(event)
            except Exception:
                _logger.exception("a handler of %r events failed", kind)
                continue
            if inspect.isawaitable(result):
                task = asyncio.ensure_future(self._await(kind, result))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for the async handlers that still run."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _await(self, kind: EventKind, result: Awaitable[None]) -> None:
        try:
            await result
        except Exception:
            _logger.exception("a handler of %r events failed", kind)
