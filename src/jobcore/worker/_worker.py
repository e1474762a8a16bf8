"""`Worker`: carries out the jobs of an app, until it is told to stop.

It consists of a `QueueRunner` for each queue, which pops and runs, and for all of them together a `LeaseKeeper`, which
keeps the leases on a thread of its own, and a `Completer`, which hands the jobs back in batches. It knows the storage
by its protocol only.

Stopping goes in this order, and nothing is lost on the way: no more pops; what was popped and not begun goes back; what
runs has its `grace`; what still runs then is cancelled and goes back unexecuted, so that another runner takes it at
once; the completions are waited for; only then do the leases lapse of whatever could not be stopped.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING
from uuid import uuid4

from jobcore.app import App
from jobcore.errors import InvalidJob, InvalidJobType
from jobcore.jobs import Completion, JobResult
from jobcore.jobs._checks import check_int, check_queue, check_seconds, check_uuid
from jobcore.worker._completing import Completer
from jobcore.worker._emitter import Emitter
from jobcore.worker._functions import Functions
from jobcore.worker._leases import LeaseKeeper
from jobcore.worker._runner import TURN, QueueRunner
from jobcore.worker._signals import handle_signals

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from types import TracebackType
    from typing import Any, Self
    from uuid import UUID

    from jobcore.jobs import JobInfo, ReturnJobInfo
    from jobcore.worker._completing import Finished
    from jobcore.worker._execution import Execution

_logger = logging.getLogger("jobcore.worker")

DEFAULT_CONCURRENCY = 8
CLEAN_UP = 0.4
"""Seconds that cancelled functions have to end, and then the last completions."""


class Worker:
    """Runs the jobs of `app` from `queues`: how many of each at once.

    Without `queues`, those that the app's jobs name, 8 at once each. `grace` is how many seconds running jobs have
    when the worker stops; `max_lost` how many leases of a job may run out before it is given up as DEAD, since it seems
    to kill its runners. `await worker.run()` works until a signal or `stop()`; `async with worker` works meanwhile.
    """

    def __init__(
        self,
        app: App,
        queues: Mapping[str, int] | None = None,
        *,
        grace: timedelta | float = 30.0,
        max_lost: int = 5,
        runner_id: UUID | None = None,
    ) -> None:
        if not isinstance(app, App):
            raise InvalidJobType("app", "an App", app)
        self.app: App = app
        self.queues: dict[str, int] = _checked_queues(app, queues)
        self.grace: float = check_seconds("grace", grace)
        self.max_lost: int = check_int("max_lost", max_lost, 0, 2**31 - 1)
        self.runner_id: UUID = uuid4() if runner_id is None else check_uuid("runner_id", runner_id)
        self._stack: AsyncExitStack | None = None
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._failure: Exception | None = None

    async def run(self, *, signals: bool = True) -> None:
        """Work until `stop()`, or until SIGINT or SIGTERM if this is the main thread; a second signal stops at once.

        Raises what ended it where that was not asked for: `StorageClosed`, or what the lifespan raises.
        """
        with handle_signals(self._signalled) if signals else nullcontext():
            async with self:
                await self._stop.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop: no more pops, `grace` for what runs. A second call cancels what runs at once. Call it on the loop."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    async def __aenter__(self) -> Self:
        if self._stack is not None:
            raise RuntimeError("this worker is at work already")
        self._stop.clear()
        self._stop_now.clear()
        self._failure = None
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.app)
            storage = self.app.storage
            concurrency = sum(self.queues.values())
            functions = Functions(self.app, storage, self.runner_id, concurrency, self.max_lost)
            stack.callback(functions.close)
            if self.app.lifespan is not None:
                functions.state = await stack.enter_async_context(self.app.lifespan(self.app))
            self._emitter = Emitter(self.app.handlers, self.runner_id)
            stack.push_async_callback(self._emitter.drain)
            self._keeper = LeaseKeeper(storage, self.runner_id)
            self._keeper.start()
            stack.push_async_callback(self._keeper.stop)
            self._completer = Completer(storage, self._completed)
            self._runners = [
                QueueRunner(
                    queue,
                    limit,
                    storage,
                    self.runner_id,
                    functions,
                    self._keeper,
                    self._completer,
                    self._emitter,
                    TURN / len(self.queues),
                    self._fail,
                )
                for queue, limit in self.queues.items()
            ]
            stack.push_async_callback(self._wind_up)
            for runner in self._runners:
                runner.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.__aexit__(kind, error, traceback)

    async def _wind_up(self) -> None:
        for runner in self._runners:
            runner.stop()
        task = asyncio.current_task()
        try:
            if task is None or not task.cancelling():
                await self._wait_for_runners(self.grace)
        finally:
            for runner in self._runners:
                runner.cancel()
            await self._wait_for_runners(CLEAN_UP, interruptible=False)
            left = [task for runner in self._runners for task in runner.tasks]
            if left:
                _logger.warning("%d jobs do not end; they are left to their leases", len(left))
            try:
                async with asyncio.timeout(CLEAN_UP):
                    await self._completer.drain()
            except TimeoutError:
                pass
            if lost := await self._completer.stop():
                _logger.error("%d jobs could not be handed back; their leases will run out", lost)

    async def _wait_for_runners(self, seconds: float, *, interruptible: bool = True) -> None:
        """Wait until no runner is left, so many seconds, or until a second call of `stop()`."""
        ends = time.monotonic() + seconds
        hurry = asyncio.ensure_future(self._stop_now.wait())
        try:
            while tasks := [task for runner in self._runners for task in runner.tasks]:
                rest = ends - time.monotonic()
                if rest <= 0 or (interruptible and hurry.done()):
                    return
                watched = [*tasks, hurry] if interruptible else tasks
                await asyncio.wait(watched, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            _logger.error("the worker stops: %s", error)
            self._failure = error
        self._stop.set()

    def _completed(self, batch: list[Finished], completions: list[Completion]) -> None:
        """What the completer tells of the jobs that it handed back."""
        tells_of_success = bool(self._emitter.handlers) or _logger.isEnabledFor(logging.INFO)
        for (execution, returned, exception), completion in zip(batch, completions, strict=True):
            self._keeper.release(execution)
            if completion is Completion.LEASE_LOST:
                job = execution.job
                _logger.warning("job %s %s was lost to another delivery; its result is discarded", job.name, job.id)
                self._emitter.emit("lease_lost", job)
            elif returned.result is JobResult.SUCCESS:
                if tells_of_success:
                    self._report_success(execution)
            elif returned.result is JobResult.FAILURE or returned.result is JobResult.DEAD:
                self._report_failure(execution.job, returned, exception, completion)

    def _report_success(self, execution: Execution) -> None:
        job = execution.job
        if _logger.isEnabledFor(logging.INFO):
            _logger.info("job %s %s succeeded in %.3f s", job.name, job.id, time.monotonic() - execution.started)
        if self._emitter.handlers:
            self._emitter.emit("succeeded", job)

    def _report_failure(
        self, job: JobInfo, returned: ReturnJobInfo, exception: BaseException | None, completion: Completion
    ) -> None:
        if completion is Completion.PUT_BACK:
            attempt = f"{job.retry_count + 1} of {'any number' if job.max_retries is None else job.max_retries + 1}"
            _logger.warning("job %s %s failed (attempt %s): %s", job.name, job.id, attempt, returned.error,
                            exc_info=exception)  # fmt: skip
            self._emitter.emit("failed", job, returned.error, exception)
        else:
            _logger.error("job %s %s is dead: %s", job.name, job.id, returned.error, exc_info=exception)
            self._emitter.emit("dead", job, returned.error, exception)

    def _signalled(self, number: int) -> None:
        again = self._stop.is_set()
        name = signal.Signals(number).name
        _logger.info("%s: %s", name, "stopping now" if again else f"stopping, with {self.grace:g} s for what runs")
        self.stop()


def _checked_queues(app: App, queues: Any) -> dict[str, int]:
    if queues is None:
        queues = dict.fromkeys((job.queue for job in app.jobs.values()), DEFAULT_CONCURRENCY) or {
            "default": DEFAULT_CONCURRENCY
        }
    try:
        items = dict(queues).items()
    except (TypeError, ValueError):
        raise InvalidJobType("queues", "a mapping of queue to concurrency", queues) from None
    if not items:
        raise InvalidJob("queues", "must name at least one")
    return {check_queue(queue): check_int(f"concurrency of {queue!r}", limit, 1, 1_000_000) for queue, limit in items}
