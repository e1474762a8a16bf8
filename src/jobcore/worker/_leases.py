"""The lease keeper: renews the leases of all that a worker holds, whatever its handlers do.

It is one thread with an event loop of its own, so a handler that blocks the worker's loop, or a plain function that
blocks its thread, keeps its lease for as long as Python runs threads at all. (A heartbeat that shares the loop with the
handlers stops with them, and the job is run a second time beside the first.)

Jobs are grouped by their heartbeat interval. Each group has its own tick, once an interval; a job is renewed from the
second tick on that sees it, between one and two intervals after its pop, and a lease lasts five. So a job that is done
before that costs two operations on a set, and no heartbeat.

A job whose `timeout` has passed is no longer renewed: if it cannot be stopped, its lease frees it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

from jobcore.errors import LeaseLost, StorageClosed
from jobcore.storage import takes_batches
from jobcore.worker._execution import LEASE_LOST

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore.storage import Storage
    from jobcore.worker._execution import Execution

_logger = logging.getLogger("jobcore.worker")

INTERVALS = 5
"""Heartbeat intervals that a lease lasts."""


class LeaseKeeper:
    """Keeps the leases of one runner. `hold` and `release` come from the worker's loop, the rest is on the thread."""

    def __init__(self, storage: Storage, runner_id: UUID) -> None:
        self._storage = storage
        self._batches = storage if takes_batches(storage) else None
        self._runner_id = runner_id
        self._groups: dict[int, set[Execution]] = {}
        self._workers_loop = asyncio.get_running_loop()
        self._workers_thread = threading.get_ident()
        self._asked: float | None = None
        self._blockage_reported = False
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="jobcore leases", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    async def stop(self) -> None:
        """End the thread; what is still held is left to its lease."""
        self._stopping = True
        self._loop.call_soon_threadsafe(self._changed.set)
        await self._workers_loop.run_in_executor(None, self._thread.join)

    def hold(self, execution: Execution) -> None:
        """Renew this from now on."""
        try:
            self._groups[execution.job.heartbeat_microseconds].add(execution)
        except KeyError:
            self._groups[execution.job.heartbeat_microseconds] = {execution}
            self._loop.call_soon_threadsafe(self._changed.set)

    def release(self, execution: Execution) -> None:
        """Renew it no more."""
        group = self._groups.get(execution.job.heartbeat_microseconds)
        if group is not None:
            group.discard(execution)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._keep())

    async def _keep(self) -> None:
        ticks: dict[int, float] = {}
        # On a loop that was closed without `stop` nobody works any more: what is held is left to its lease.
        while not (self._stopping or self._workers_loop.is_closed()):
            self._changed.clear()
            now = time.monotonic()
            for interval in tuple(self._groups):
                if ticks.setdefault(interval, now + interval / 1e6) <= now:
                    await self._tick(interval)
                    ticks[interval] = max(ticks[interval], now - interval / 1e6) + interval / 1e6
            ticks = {interval: ticks[interval] for interval in tuple(self._groups) if interval in ticks}
            rest = min(ticks.values(), default=None)
            try:
                async with asyncio.timeout(None if rest is None else max(0.0, rest - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _tick(self, interval: int) -> None:
        now = time.monotonic()
        lease = INTERVALS * interval / 1e6
        due: list[Execution] = []
        group = self._groups[interval]
        for execution in tuple(group):
            if not execution.seen:
                execution.seen = True
            elif execution.deadline is None or now <= execution.deadline:
                due.append(execution)
                self._report_if_long(execution, now, lease)
        if due:
            self._listen_to_the_loop(now, lease)
            for execution in await self._renew(due):
                self._workers_loop.call_soon_threadsafe(self._lost, execution)
        elif not group:
            # On the worker's loop, where `hold` is: it must not add to a group that has just been dropped.
            self._workers_loop.call_soon_threadsafe(self._drop_if_empty, interval)

    def _drop_if_empty(self, interval: int) -> None:
        if not self._groups.get(interval, True):
            del self._groups[interval]

    def _lost(self, execution: Execution) -> None:
        if execution in self._groups.get(execution.job.heartbeat_microseconds, ()):
            self.release(execution)
            execution.stop(LEASE_LOST)

    async def _renew(self, due: list[Execution]) -> list[Execution]:
        """The ones among these that this runner no longer holds."""
        try:
            if self._batches is not None:
                lost = set(await self._batches.heartbeat_many([execution.job for execution in due], self._runner_id))
                return [execution for execution in due if execution.job.id in lost] if lost else []
            return [execution for execution in due if not await self._renew_one(execution)]
        except StorageClosed:
            return []
        except Exception as error:  # noqa: BLE001  (the next tick tries again; a lease lasts for five)
            _logger.warning("could not renew the leases of %d jobs: %r", len(due), error)
            return []

    async def _renew_one(self, execution: Execution) -> bool:
        job = execution.job
        try:
            await self._storage.heartbeat(job.id, self._runner_id, job.delivery_count)
        except LeaseLost:
            return False
        return True

    def _listen_to_the_loop(self, now: float, lease: float) -> None:
        """Ask the worker's loop for a sign of life; log where it is, once, if it gave none for a whole lease."""
        if self._asked is None:
            self._asked = now
            self._workers_loop.call_soon_threadsafe(self._answer)
        elif now - self._asked > lease and not self._blockage_reported:
            self._blockage_reported = True
            _logger.warning(
                "the event loop of the worker has been blocked for %.1f s; it is here:\n%s",
                now - self._asked,
                _stack(self._workers_thread),
            )

    def _answer(self) -> None:
        self._asked = None
        self._blockage_reported = False

    def _report_if_long(self, execution: Execution, now: float, lease: float) -> None:
        """Log where the thread of a plain function is, once, when it has run for a whole lease."""
        if execution.thread is None or execution.reported or now - execution.started <= lease:
            return
        execution.reported = True
        _logger.warning(
            "job %s %s has been running in its thread for %.1f s; it is here:\n%s",
            execution.job.name,
            execution.job.id,
            now - execution.started,
            _stack(execution.thread),
        )


def _stack(thread: int) -> str:
    frame = sys._current_frames().get(thread)  # noqa: SLF001  (its documentation names this very use)
    return "(gone)" if frame is None else "".join(traceback.format_stack(frame)).rstrip()
