"""Handing jobs back: whatever finished since the last time goes to the storage in one call.

A completion is repeated until the storage takes it, with growing pauses: completing twice is safe (the second finds the
job gone, or is refused), losing one would run a job again that is done. The leases are kept meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeAlias

from jobcore.errors import LeaseLost, StorageClosed
from jobcore.jobs import Completion
from jobcore.storage import takes_batches
from jobcore.worker._pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcore.jobs import ReturnJobInfo
    from jobcore.storage import Storage
    from jobcore.worker._execution import Execution

    Finished: TypeAlias = tuple[Execution, ReturnJobInfo, BaseException | None]
    """A job that was carried out, how it goes back, and the exception of a failure."""

_logger = logging.getLogger("jobcore.worker")

MOST_PENDING = 1000
"""Executions that may wait for their completion before the worker stops taking more jobs."""


class Completer:
    """Completes in the background. `done` is told what became of the jobs, as many at once as went back at once."""

    def __init__(self, storage: Storage, done: Callable[[list[Finished], list[Completion]], None]) -> None:
        self._storage = storage
        self._batches = storage if takes_batches(storage) else None
        self._done = done
        self._pending: list[Finished] = []
        self._under_way = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task = asyncio.create_task(self._run(), name="jobcore completer")

    def add(self, execution: Execution, returned: ReturnJobInfo, exception: BaseException | None) -> None:
        """Complete this, soon."""
        pending = self._pending
        pending.append((execution, returned, exception))
        if len(pending) == 1:
            self._idle.clear()
            self._news.set()
        elif len(pending) == MOST_PENDING:
            self._room.clear()

    @property
    def full(self) -> bool:
        """Whether too much waits."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self._room.wait()

    async def drain(self) -> None:
        """Wait until all is completed."""
        await self._idle.wait()

    async def stop(self) -> int:
        """End; how many were not completed."""
        self._task.cancel()
        await asyncio.wait([self._task])
        return len(self._pending) + self._under_way

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            batch, self._pending = self._pending, []
            self._room.set()
            self._under_way = len(batch)
            completions = await self._complete([returned for _, returned, _ in batch])
            self._under_way = 0
            self._done(batch, completions)
            if not self._pending:
                self._idle.set()

    async def _complete(self, batch: list[ReturnJobInfo]) -> list[Completion]:
        pauses = Pauses()
        while True:
            try:
                if self._batches is not None:
                    return await self._batches.complete_many(batch)
                return [await self._complete_one(returned) for returned in batch]
            except StorageClosed:
                _logger.warning("the storage was closed before %d jobs were completed", len(batch))
                return [Completion.LEASE_LOST] * len(batch)
            except Exception as error:  # noqa: BLE001  (whatever it is, these jobs are done and must be completed)
                pause = pauses.next()
                _logger.warning("could not complete %d jobs, again in %.1f s: %r", len(batch), pause, error)
                await asyncio.sleep(pause)

    async def _complete_one(self, returned: ReturnJobInfo) -> Completion:
        try:
            removed = await self._storage.complete(returned)
        except LeaseLost:
            return Completion.LEASE_LOST
        return Completion.REMOVED if removed else Completion.PUT_BACK
