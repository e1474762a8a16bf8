"""Carrying a job out: its function is called where it belongs, and what comes of it becomes a `ReturnJobInfo`.

Async functions are awaited in place, in the runner's own task: a task for each job would cost more than all the rest.
Plain functions run in a thread. A thread cannot be stopped, so its job counts as running until it returns, whatever
happens meanwhile: a timeout turns its result into a failure, a lost lease discards it, and only a shutdown leaves it
behind. Functions with `executor="process"` run in processes of anyio's, which are killed where a task is cancelled.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jobcore.app._context import GivenUp, JobContext, Snoozed
from jobcore.jobs import JobResult
from jobcore.worker._execution import LEASE_LOST, SHUTDOWN, SUPERSEDED
from jobcore.worker._processes import call_in_process

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from jobcore.app import App, Job
    from jobcore.jobs import JobInfo, ReturnJobInfo
    from jobcore.storage import Storage
    from jobcore.worker._execution import Execution

_logger = logging.getLogger("jobcore.worker")

LONGEST_UNREGISTERED = timedelta(minutes=5)


class Functions:
    """Calls the functions of an app, for one worker. `state` is what the app's lifespan yielded."""

    def __init__(self, app: App, storage: Storage, runner_id: UUID, threads: int, max_lost: int) -> None:
        self.state: Any = None
        self._jobs = app.jobs
        self._middlewares = app.middlewares
        self._storage = storage
        self._runner_id = runner_id
        self._max_lost = max_lost
        self._threads = ThreadPoolExecutor(threads, "jobcore job")

    def close(self) -> None:
        """Forget the threads that still run."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def carry_out(self, execution: Execution) -> tuple[ReturnJobInfo, BaseException | None] | None:
        """Call the function: how to hand the job back, and the exception of a failure.

        None for a job that is somebody else's by now, or is left to its lease.
        """
        info = execution.job
        job = self._jobs.get(info.name)
        if job is None:
            return self._unregistered(info)
        if info.lost_count > self._max_lost:
            error = f"given up: {info.lost_count} runners in a row lost it, which looks like its own doing"
            return info.returned(JobResult.DEAD, self._runner_id, error=error), None
        try:
            if job.is_async and job.timeout is None and not job.wants_context and not self._middlewares:
                await job.function(**job.unpack(info.raw_args))
            else:
                await self._call(job, execution)
        except BaseException as exception:  # noqa: BLE001  (whatever it is, it is the function's, or it is told apart)
            return self._raised(execution, exception)
        if execution.stopped in (LEASE_LOST, SUPERSEDED):
            return None
        return info.returned(JobResult.SUCCESS, self._runner_id), None

    def _raised(
        self, execution: Execution, exception: BaseException
    ) -> tuple[ReturnJobInfo, BaseException | None] | None:
        info = execution.job
        if execution.stopped == SHUTDOWN:
            if execution.thread is not None:
                _logger.warning("job %s %s still runs in its thread, and is left to its lease", info.name, info.id)
                return None
            return info.returned(JobResult.UNEXECUTED, self._runner_id), None
        if execution.stopped is not None:
            return None
        if isinstance(exception, Snoozed):
            return info.returned(JobResult.UNEXECUTED, self._runner_id, delay=exception.delay), None
        if isinstance(exception, GivenUp):
            return info.returned(JobResult.DEAD, self._runner_id, error=exception.reason), exception
        if isinstance(exception, (KeyboardInterrupt, GeneratorExit)):
            raise exception
        return info.returned(JobResult.FAILURE, self._runner_id, error=_text(exception)), exception

    def _unregistered(self, info: JobInfo) -> tuple[ReturnJobInfo, BaseException | None] | None:
        delay = min(timedelta(seconds=2 ** min(info.delivery_count - 1, 30)), LONGEST_UNREGISTERED)
        known = ", ".join(sorted(self._jobs)) or "none"
        _logger.warning(
            "job %s is named %r, which this worker does not know (it knows: %s); back in the queue for %s",
            info.id, info.name, known, delay,
        )  # fmt: skip
        return info.returned(JobResult.UNREGISTERED, self._runner_id, delay=delay), None

    async def _call(self, job: Job[..., ..., Any], execution: Execution) -> None:
        call = functools.partial(self._call_function, job, execution)
        for middleware in reversed(self._middlewares):
            call = functools.partial(_call_middleware, middleware, call)
        context = JobContext(execution.job, self._runner_id, self.state, self._storage)
        if job.timeout is None:
            await call(context)
            return
        execution.deadline = execution.started + job.timeout
        if job.executor == "thread":
            await call(context)
            expired = time.monotonic() > execution.deadline
        else:
            scope = asyncio.timeout(job.timeout)
            try:
                async with scope:
                    await call(context)
            except TimeoutError as error:
                if scope.expired():
                    raise TimeoutError(f"it took more than {job.timeout:g} s") from error
                raise
            expired = False
        if expired:
            raise TimeoutError(f"it took more than {job.timeout:g} s, in a thread, where it cannot be stopped")

    async def _call_function(
        self, job: Job[..., ..., Any], execution: Execution, context: JobContext | None = None
    ) -> Any:
        kwargs = job.unpack(execution.job.raw_args)
        args = (context,) if job.wants_context else ()
        if job.is_async:
            return await job.function(*args, **kwargs)
        if job.executor == "process":
            return await call_in_process(job.function, kwargs)
        result = await self._call_in_thread(execution, functools.partial(job.function, *args, **kwargs))
        # A plain wrapper around an async function, as decorators make them: the work is still to be done.
        return await result if inspect.isawaitable(result) else result

    async def _call_in_thread(self, execution: Execution, call: Callable[[], Any]) -> Any:
        context = contextvars.copy_context()

        def run() -> Any:
            execution.thread = threading.get_ident()
            return context.run(call)

        future = asyncio.get_running_loop().run_in_executor(self._threads, run)
        while True:
            try:
                result = await asyncio.shield(future)
            except asyncio.CancelledError:
                if future.done() or execution.stopped == SHUTDOWN:
                    future.add_done_callback(_let_go)
                    raise
            except BaseException:
                execution.thread = None
                raise
            else:
                execution.thread = None
                return result


async def _call_middleware(
    middleware: Callable[[JobContext, Any], Awaitable[Any]], call_next: Any, context: JobContext
) -> Any:
    return await middleware(context, lambda given=context: call_next(given))


def _text(exception: BaseException) -> str:
    name = type(exception).__name__
    try:
        return f"{name}: {exception}"
    except Exception as error:  # noqa: BLE001  (whatever it is, the failure is the function's)
        return f"{name}, whose text cannot be had: {type(error).__name__}"


def _let_go(future: asyncio.Future[Any]) -> None:
    """What the thread still raises is nobody's business: asyncio need not log it when the future goes."""
    if not future.cancelled():
        future.exception()
