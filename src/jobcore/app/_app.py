"""`App`: functions become jobs, and jobs get a storage.

An app belongs to a program, not to a loop: jobs are pushed from any thread and loop, on one storage. A storage that the
app opened (from a URL, at the first use) it closes, when the last `async with app` ends; one that was passed in stays
its owner's.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from jobcore.app._events import EventHandler, EventKind, check_kind
from jobcore.app._job import Job, Pusher
from jobcore.app._periodic import Every
from jobcore.errors import InvalidCall, InvalidJob, InvalidJobType, NotAStorage
from jobcore.jobs._new import DEFAULT_BACKOFF, DEFAULT_HEARTBEAT
from jobcore.storage import Storage, missing_methods, takes_batches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from jobcore.app._blocking import Blocking
    from jobcore.app._context import JobContext
    from jobcore.app._job import Executor
    from jobcore.jobs import Backoff, NewJobInfo

P = ParamSpec("P")
R = TypeVar("R")
HandlerT = TypeVar("HandlerT", bound="EventHandler")
MiddlewareT = TypeVar("MiddlewareT", bound="Middleware")


class CallNext(Protocol):
    """The rest of an execution: the next middleware, or the function."""

    def __call__(self, context: JobContext = ..., /) -> Awaitable[Any]: ...


class Middleware(Protocol):
    """Wraps every execution."""

    def __call__(self, context: JobContext, call_next: CallNext, /) -> Awaitable[Any]: ...


class Closable(Protocol):
    """What every storage of a URL is."""

    async def aclose(self) -> None:
        """Close it."""


class JobDecorator(Protocol):
    """Makes a job of a function; a `JobContext` as the first parameter is not part of the push."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[JobContext, P], R], /
    ) -> Job[P, Concatenate[JobContext, P], R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Job[P, P, R]: ...


class App:
    """Jobs as typed functions, on a storage.

    `storage` is a storage, or the URL of one for `open_storage`. `lifespan` is as in Starlette: a function of the app
    that returns an async context manager; workers enter it, and what it yields is each `JobContext.state`.
    `middleware` wraps every execution, the first of them outermost.
    """

    def __init__(
        self,
        storage: Storage | str,
        *,
        lifespan: Callable[[App], AbstractAsyncContextManager[Any]] | None = None,
        middleware: Sequence[Middleware] = (),
    ) -> None:
        if not isinstance(storage, str):
            _check_storage(storage)
        if lifespan is not None:
            _check_callable("lifespan", lifespan)
        if not isinstance(middleware, Iterable):
            raise InvalidJobType("middleware", "a sequence of functions", middleware)
        self.lifespan: Callable[[App], AbstractAsyncContextManager[Any]] | None = lifespan
        self.jobs: dict[str, Job[..., ..., Any]] = {}
        self.middlewares: list[Middleware] = [_check_callable("middleware", one) for one in middleware]
        self.handlers: dict[EventKind, list[EventHandler]] = {}
        self._url = storage if isinstance(storage, str) else None
        self._storage: Storage | None = None if isinstance(storage, str) else storage
        self._lock = threading.Lock()
        self._entered = 0
        self._periodic: list[Every] = []

    @overload
    def job(self, function: Callable[Concatenate[JobContext, P], R], /) -> Job[P, Concatenate[JobContext, P], R]: ...
    @overload
    def job(self, function: Callable[P, R], /) -> Job[P, P, R]: ...
    @overload
    def job(
        self,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int = 0,
        max_retries: int | None = 5,
        backoff: Backoff = DEFAULT_BACKOFF,
        heartbeat_interval: timedelta = DEFAULT_HEARTBEAT,
        timeout: timedelta | float | None = None,
        executor: Executor | None = None,
    ) -> JobDecorator: ...
    def job(
        self,
        function: Any = None,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int = 0,
        max_retries: int | None = 5,
        backoff: Backoff = DEFAULT_BACKOFF,
        heartbeat_interval: timedelta = DEFAULT_HEARTBEAT,
        timeout: timedelta | float | None = None,
        executor: Executor | None = None,
    ) -> Any:
        """Make a job of a function, async or plain, as a decorator with or without options.

        `name` (default: the function's) is what travels; the options are those of `NewJobInfo`. After `timeout` (a
        timedelta or seconds) an execution has failed. A plain function runs in a thread, or with `executor="process"`
        in a process of its own, the only place where it can be stopped at its timeout.

        Raises `InvalidJob` for options that no job can have and for a name that is taken, `InvalidCall` for
        parameters that have no name in JSON.
        """
        options: dict[str, Any] = {
            "queue": queue,
            "priority": priority,
            "max_retries": max_retries,
            "backoff": backoff,
            "heartbeat_interval": heartbeat_interval,
        }
        if function is None:
            return partial(self._register, name=name, timeout=timeout, executor=executor, options=options)
        return self._register(function, name, timeout, executor, options)

    def _register(
        self,
        function: Callable[..., Any],
        name: str | None,
        timeout: timedelta | float | None,
        executor: Executor | None,
        options: dict[str, Any],
    ) -> Job[..., ..., Any]:
        if isinstance(function, Job):
            raise InvalidJob(f"{function.name}()", "is a job already")
        # A partial, which is a routine to Python since 3.14, has no name.
        if not (inspect.isroutine(function) and hasattr(function, "__name__")):
            raise InvalidJobType("job", "a function", function)
        job: Job[..., ..., Any] = Job(
            self, function, function.__name__ if name is None else name, options, timeout, executor
        )
        if job.name in self.jobs:
            raise InvalidJob("name", f"{job.name!r} is taken by {self.jobs[job.name]!r}")
        self.jobs[job.name] = job
        return job

    def middleware(self, middleware: MiddlewareT) -> MiddlewareT:
        """Wrap every execution in a middleware, inside those that are there; a decorator.

        It is `async def(ctx, call_next)`, and returns what `await call_next(ctx)` returns.
        """
        self.middlewares.append(_check_callable("middleware", middleware))
        return middleware

    def on(self, kind: EventKind) -> Callable[[HandlerT], HandlerT]:
        """Call a function, async or plain, with each `JobEvent` of this kind in this app's workers; a decorator."""

        def register(handler: HandlerT) -> HandlerT:
            _check_callable("handler", handler)
            self.handlers.setdefault(kind, []).append(handler)
            return handler

        check_kind(kind)
        return register

    def every(self, interval: timedelta, job: Pusher[P], /, *args: P.args, **kwargs: P.kwargs) -> Every:
        """Push a job now and then every `interval`, from this process, until the app is closed or `cancel()`.

        Outside of a running loop it begins with `async with app`, so with each worker process. A push that fails is
        logged and does not end it; after a pause (a blocked loop, a suspended machine) the missed ones are not made up.
        """
        if not isinstance(job, Pusher):
            raise InvalidJobType("job", "a job of an app", job)
        every = Every(interval, lambda: job.push(*args, **kwargs), job.new(*args, **kwargs).name)
        self._periodic.append(every)
        every.start_if_running()
        return every

    @property
    def storage(self) -> Storage:
        """The storage; opened at the first use if the app has its URL."""
        storage = self._storage
        return self._open() if storage is None else storage  # an empty storage is false, and there all the same

    def _open(self) -> Storage:
        from jobcore.opening import open_storage  # noqa: PLC0415  (it knows all storages)

        with self._lock:
            storage = self._storage
            if storage is None:
                storage = self._storage = open_storage(cast("str", self._url))
            return storage

    @contextmanager
    def using(self, storage: Storage) -> Generator[None]:
        """Push to and work on another storage for a while, in every thread; for tests.

        The app does not close it, and what `every` asked for does not begin.
        """
        _check_storage(storage)
        before, self._storage = self._storage, storage
        self._entered += 1
        try:
            yield
        finally:
            self._entered -= 1
            self._storage = before

    async def push_many(self, jobs: Iterable[NewJobInfo]) -> list[UUID]:
        """Push jobs of any kind (what `job.new(...)` returns), all or none where the storage takes batches."""
        storage = self.storage
        if takes_batches(storage):
            return await storage.push_many(jobs)
        return [await storage.push(job) for job in jobs]

    async def push_named(self, name: str, args: Any = None, **options: Any) -> UUID:
        """Push a job by its name, its arguments a mapping; the options of the job hold where none are given."""
        job = self.jobs.get(name)
        if job is None:
            known = ", ".join(sorted(self.jobs)) or "none"
            raise InvalidJob("name", f"{name!r} is no job of this app; there are: {known}")
        if not isinstance(args, dict | None):
            raise InvalidCall(f"{name}()", "takes a JSON object: parameter name to value")
        return await job.options(**options).push(**(args or {}))

    def in_transaction(self, verb: Literal["push", "push_many"]) -> Callable[..., Coroutine[Any, Any, Any]]:
        """A verb of the storage, where it takes a connection of the user's; `TypeError` elsewhere."""
        call: Callable[..., Coroutine[Any, Any, Any]] | None = getattr(self.storage, verb, None)
        if call is None or "connection" not in inspect.signature(call).parameters:
            raise TypeError(f"{type(self.storage).__name__} has no transaction to share: push without a connection")
        return call

    def blocking(self) -> Blocking:
        """A bridge for programs without an event loop: `blocking(job.push(...))` returns the id."""
        from jobcore.app._blocking import Blocking  # noqa: PLC0415  (only it needs anyio)

        return Blocking()

    async def __aenter__(self) -> Self:
        self._entered += 1
        if self._entered == 1:
            self.storage  # noqa: B018  (opens it)
            for every in self._periodic:
                every.start_if_running()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered -= 1
        if self._entered == 0:
            await self.aclose()

    async def aclose(self) -> None:
        """End what `every` began, and close the storage if the app opened it; the next use opens it again."""
        for every in self._periodic:
            every.stop()
        if self._url is not None:
            storage, self._storage = self._storage, None
            if storage is not None:
                await cast("Closable", storage).aclose()


def _check_storage(storage: object) -> None:
    if isinstance(storage, type):
        raise InvalidJobType("storage", f"a storage or the URL of one, not the class {storage.__name__}")
    if missing := missing_methods(storage, Storage):
        raise NotAStorage(storage, missing)


def _check_callable(field: str, value: Any) -> Any:
    if not callable(value):
        raise InvalidJobType(field, "a function", value)
    return value
