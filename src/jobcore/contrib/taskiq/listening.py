"""`Listener`: one `listen` of the broker: a runner that hands what it pops to a receiver of taskiq.

A receiver asks for one message at a time, and only when it can start one (or may prefetch it); how many more it could
start, it does not say. It shows it: batches double as long as it takes all of them. When it leaves some lying for
`QUIET` it is full: these go back at once, for other workers, and its capacity is known, as many as are out. From then
on a batch has as many as are missing from that. So a pop takes as many as were done during the one before, and no
message waits for a receiver that is busy. (One that acknowledges before it executes hides what it is doing: it is
known by how many it received and had not begun, and gets small batches.)

What is out has its lease renewed, by a thread of its own, until it is acknowledged, or until `ack_timeout` has passed.
A receiver closes its listener first and finishes what it runs afterwards: so what is left in the batch goes back at
once, and the rest is held until the last is acknowledged or the broker is shut down.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from taskiq import AckableMessage

from jobcore.contrib.taskiq.messages import data_of
from jobcore.errors import JobcoreError, LeaseLost, StorageClosed, StorageUnavailable
from jobcore.jobs import JobResult
from jobcore.worker._execution import Execution
from jobcore.worker._leases import LeaseKeeper
from jobcore.worker._pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import timedelta

    from jobcore.jobs import JobInfo
    from jobcore.storage import BatchStorage

_logger = logging.getLogger("jobcore.taskiq")

MOST = 100
"""Messages that one batch has at the most."""
TURN = 0.5
"""Seconds. taskiq's worker is told to stop by a signal handler that does not wake its loop: somebody has to turn it."""
QUIET = 0.05
"""Seconds. A receiver that can start a message asks within a few turns of the loop."""


class Listener:
    """What one receiver holds. Made on the event loop that it is for."""

    def __init__(self, storage: BatchStorage, queue: str, ack_timeout: timedelta | None) -> None:
        self._storage = storage
        self._queue = queue
        self._ack_timeout = None if ack_timeout is None else ack_timeout.total_seconds()
        self._runner_id = uuid4()
        self._keeper = LeaseKeeper(storage, self._runner_id)
        self._kept = False
        self._batch: deque[Execution] = deque()
        self._batch_limit = 1
        self._capacity: int | None = None
        self._out = 0
        self._asked = 0
        self._watch: asyncio.TimerHandle | None = None
        self._turning: asyncio.TimerHandle | None = None
        self._handing_back: asyncio.Task[None] | None = None
        self._closed = False

    async def messages(self) -> AsyncGenerator[AckableMessage, None]:
        """The messages as they come, until the storage is closed."""
        self._keeper.start()
        self._kept = True
        batch = self._batch
        self._turn()
        try:
            while jobs := await self._pop():
                batch.extend(map(self._held, jobs))
                while batch:
                    delivery = batch.popleft()
                    self._out += 1
                    yield AckableMessage(data=data_of(delivery.job), ack=partial(self._acknowledge, delivery))
                    self._asked += 1
        finally:
            for timer in (self._watch, self._turning):
                if timer is not None:
                    timer.cancel()
            if self._handing_back is not None:
                await self._handing_back
            await self._hand_back()
            self._closed = True
            if not self._out:
                await self.stop()

    @property
    def ended(self) -> bool:
        """Whether it is closed, and nothing is out."""
        return self._closed and not self._kept

    async def stop(self) -> None:
        """Renew nothing any more: what is out is left to its leases. Twice is fine."""
        if self._kept:
            self._kept = False
            await self._keeper.stop()

    def _held(self, job: JobInfo) -> Execution:
        delivery = Execution(job)
        if self._ack_timeout is not None:
            delivery.deadline = time.monotonic() + self._ack_timeout
        self._keeper.hold(delivery)
        return delivery

    async def _pop(self) -> list[JobInfo]:
        """Some jobs; none when the storage is closed."""
        limit = self._batch_limit if self._capacity is None else max(1, min(self._capacity - self._out, MOST))
        pauses = Pauses()
        while True:
            try:
                jobs = await self._storage.pop_many(self._queue, self._runner_id, limit)
            except StorageClosed:
                return []
            except StorageUnavailable as error:
                await self._pause("listen", pauses, error)
            else:
                break
        if self._capacity is None and len(jobs) == limit:
            self._batch_limit = min(2 * limit, MOST)
            if limit > 1 and self._watch is None:
                self._look_again(-1)
        return jobs

    def _turn(self) -> None:
        self._turning = asyncio.get_running_loop().call_later(TURN, self._turn)

    def _look_again(self, asked: int) -> None:
        """After `QUIET`. Only if nothing was asked between two looks is it the receiver that is full, not the loop."""
        self._watch = asyncio.get_running_loop().call_later(QUIET, self._look, asked)

    def _look(self, asked: int) -> None:
        self._watch = None
        if not self._batch:
            return
        if asked != self._asked:
            self._look_again(self._asked)
            return
        self._capacity = self._out
        self._handing_back = asyncio.create_task(self._hand_back())

    async def _acknowledge(self, delivery: Execution) -> None:
        """Complete it: again and again, until the storage takes it, for it is done."""
        job = delivery.job
        returned = job.returned(JobResult.SUCCESS, self._runner_id)
        pauses: Pauses | None = None
        while True:
            try:
                await self._storage.complete(returned)
                break
            except LeaseLost:
                _logger.warning("task %s was acknowledged too late: it is delivered again (job %s)", job.name, job.id)
                break
            except StorageClosed:
                _logger.warning("the storage was closed before task %s was acknowledged (job %s)", job.name, job.id)
                break
            except StorageUnavailable as error:
                pauses = pauses or Pauses()
                await self._pause("acknowledge", pauses, error)
        self._keeper.release(delivery)
        self._out -= 1
        if self._closed and not self._out:
            await self.stop()

    async def _pause(self, what: str, pauses: Pauses, error: StorageUnavailable) -> None:
        pause = pauses.next()
        _logger.warning("could not %s, again in %.1f s: %r", what, pause, error)
        await asyncio.sleep(pause)

    async def _hand_back(self) -> None:
        """Give back what the receiver does not ask for."""
        for delivery in self._batch:
            self._keeper.release(delivery)
        left = [delivery.job.returned(JobResult.UNEXECUTED, self._runner_id) for delivery in self._batch]
        self._batch.clear()
        try:
            await self._storage.complete_many(left)
        except JobcoreError as error:
            _logger.warning("%d messages are left to their leases: %r", len(left), error)
