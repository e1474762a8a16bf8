"""`QueueRunner`: takes the jobs of one queue and has them carried out, so many at a time.

Its tasks are called runners. A runner takes jobs from the buffer and awaits their functions in place, one after the
other; when the buffer is empty it pops a batch, as large as there is room, unless another one is doing so, in which
case it ends. So a queue of jobs that never wait is carried out by one task, without a single switch, and a job that
waits costs the one task that it waits in. The rules that keep this alive:

    - as long as there is room (fewer jobs held than `concurrency`), somebody pops, or there are jobs in the buffer and
      a runner for them is on its way: who takes a job calls for `help`, once for each turn of the loop, and `help`
      starts runners if jobs are left in the buffer, or if there is room and nobody pops;
    - every `TURN` a runner lets the loop run, and sooner if many queues share it;
    - a job cannot leave a trace on the next one: a runner whose context variables were changed, or that was cancelled,
      ends, and another one takes its place.

A job is under the lease keeper's care from its pop on, also while it lies in the buffer.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, cast

from jobcore.errors import StorageClosed
from jobcore.jobs import JobResult
from jobcore.storage import takes_batches
from jobcore.worker._execution import SHUTDOWN, SUPERSEDED, Execution
from jobcore.worker._pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from jobcore.jobs import JobInfo
    from jobcore.storage import Storage
    from jobcore.worker._completing import Completer
    from jobcore.worker._emitter import Emitter
    from jobcore.worker._functions import Functions
    from jobcore.worker._leases import LeaseKeeper

_logger = logging.getLogger("jobcore.worker")

TURN = 0.002
"""Seconds for which runners may keep the loop to themselves, all queues together."""
HELPERS = 32
"""Runners that one call for help starts at the most."""


class QueueRunner:
    """The runners of one queue; `fail` is told when the storage takes no calls any more."""

    def __init__(
        self,
        queue: str,
        concurrency: int,
        storage: Storage,
        runner_id: UUID,
        functions: Functions,
        keeper: LeaseKeeper,
        completer: Completer,
        emitter: Emitter,
        turn: float,
        fail: Callable[[Exception], None],
    ) -> None:
        self._queue = queue
        self._concurrency = concurrency
        self._storage = storage
        self._batches = storage if takes_batches(storage) else None
        self._runner_id = runner_id
        self._carry_out = functions.carry_out
        self._keeper = keeper
        self._completer = completer
        self._emitter = emitter
        self._fail = fail
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._buffer: deque[Execution] = deque()
        self._running: set[Execution] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._popping: asyncio.Task[None] | None = None
        self._stopping = False
        self._help_is_called = False
        self._turn = turn
        self._turn_ends = 0.0
        self._turn_is_called = False

    def start(self) -> None:
        """Begin."""
        self._spawn()

    def stop(self) -> None:
        """Pop no more, and hand back what has not begun."""
        self._stopping = True
        if self._popping is not None:
            self._popping.cancel()
        while self._buffer:
            execution = self._buffer.popleft()
            unexecuted = execution.job.returned(JobResult.UNEXECUTED, self._runner_id)
            self._completer.add(execution, unexecuted, None)

    def cancel(self) -> None:
        """Cancel what runs."""
        for execution in tuple(self._running):
            execution.stop(SHUTDOWN)

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """The runners that have not ended."""
        return self._tasks

    @property
    def room(self) -> int:
        """How many more jobs may be popped."""
        return self._concurrency - len(self._running) - len(self._buffer)

    def _spawn(self) -> None:
        name = f"jobcore runner of {self._queue}"
        task = self._loop.create_task(self._run(), name=name, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("a runner of queue %s failed; another one takes its place", self._queue, exc_info=error)
            self._help()

    def _call_for_help(self) -> None:
        if not self._help_is_called:
            self._help_is_called = True
            self._loop.call_soon(self._help)

    def _help(self) -> None:
        self._help_is_called = False
        if self._stopping:
            return
        if self._buffer:
            for _ in range(min(len(self._buffer), HELPERS)):
                self._spawn()
        elif self._popping is None and self.room > 0:
            self._spawn()

    async def _run(self) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        buffer, running = self._buffer, self._running
        while True:
            if not buffer:
                if self._popping is not None or self._stopping or self.room <= 0:
                    return
                self._popping = task
                try:
                    await self._fill()
                finally:
                    self._popping = None
                if not buffer:
                    return
            execution = buffer.popleft()
            running.add(execution)
            if not self._help_is_called:
                self._call_for_help()
            try:
                await self._carry_through(execution, task)
            finally:
                running.discard(execution)
            if execution.stopped is not None or contextvars.copy_context() != self._context:
                self._call_for_help()
                return
            if monotonic() >= self._turn_ends:
                await self._pass_turn()
            if self._completer.full:
                await self._completer.room()

    async def _carry_through(self, execution: Execution, task: asyncio.Task[None]) -> None:
        if execution.job.lost_count:
            await self._supersede(execution)
        execution.started = monotonic()
        execution.task = task
        if self._emitter.handlers:
            self._emitter.emit("started", execution.job)
        outcome = await self._carry_out(execution)
        execution.task = None
        if outcome is not None:
            self._completer.add(execution, *outcome)
            return
        self._keeper.release(execution)
        if execution.stopped != SHUTDOWN:
            job = execution.job
            _logger.warning("job %s %s was lost to another delivery; its result is discarded", job.name, job.id)
            self._emitter.emit("lease_lost", job)

    async def _supersede(self, execution: Execution) -> None:
        """Stop an older run of the same job, which lost its lease, before this one begins."""
        older = [other for other in self._running if other is not execution and other.job.id == execution.job.id]
        for other in older:
            other.stop(SUPERSEDED)
            if other.task is not None:
                await asyncio.wait([other.task])

    async def _fill(self) -> None:
        """Pop as many jobs as there is room for; wait for the first."""
        jobs = await self._pop()
        now_held = [Execution(job) for job in jobs]
        for execution in now_held:
            self._keeper.hold(execution)
        self._buffer.extend(now_held)
        if self._stopping:
            self.stop()

    async def _pop(self) -> list[JobInfo]:
        pauses = Pauses()
        while not self._stopping:
            try:
                if self._batches is not None:
                    return await self._batches.pop_many(self._queue, self._runner_id, self.room)
                return [await self._storage.pop(self._queue, self._runner_id)]
            except StorageClosed as error:
                self._fail(error)
                break
            except Exception as error:  # noqa: BLE001  (whatever it is, the worker lives and asks again)
                pause = pauses.next()
                _logger.warning("could not pop from queue %s, again in %.1f s: %r", self._queue, pause, error)
                await asyncio.sleep(pause)
        return []

    async def _pass_turn(self) -> None:
        if not self._turn_is_called:
            self._turn_is_called = True
            self._loop.call_soon(self._begin_turn)
        await asyncio.sleep(0)

    def _begin_turn(self) -> None:
        self._turn_is_called = False
        self._turn_ends = monotonic() + self._turn
