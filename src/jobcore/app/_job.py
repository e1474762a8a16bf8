"""`Job`: a function that can be pushed.

`Job` and what its `options` return push alike: both are a `Pusher`, the function under a name with one set of options.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar

from jobcore.app._arguments import Arguments
from jobcore.app._context import JobContext
from jobcore.errors import InvalidCall, InvalidJob, InvalidJobType
from jobcore.jobs import NewJobInfo
from jobcore.jobs._checks import check_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from uuid import UUID

    from jobcore.app._app import App
    from jobcore.jobs import Backoff

if sys.version_info >= (3, 14):
    from annotationlib import Format

    # Annotations are evaluated here, and names that only type checkers know have to stay names.
    _signature = functools.partial(inspect.signature, annotation_format=Format.FORWARDREF)
else:
    _signature = inspect.signature

PushP = ParamSpec("PushP")
CallP = ParamSpec("CallP")
R = TypeVar("R")

Executor = Literal["thread", "process"]


class Unset:
    """Stands for an option that was not given, where None means something."""

    def __repr__(self) -> str:
        return "..."


UNSET: Any = Unset()


class Pusher(Generic[PushP]):
    """A job with one set of options, ready to be pushed with its arguments."""

    def __init__(self, app: App, name: str, arguments: Arguments, options: Mapping[str, Any], connection: Any) -> None:
        self._app = app
        self._name = name
        self._arguments = arguments
        self._options = options
        self._connection = connection

    def new(self, /, *args: PushP.args, **kwargs: PushP.kwargs) -> NewJobInfo:
        """The job that a push of these arguments would push; `InvalidCall` (a `TypeError`) where they do not fit."""
        return NewJobInfo(self._name, self._arguments.pack(args, kwargs), **self._options)

    def push(self, /, *args: PushP.args, **kwargs: PushP.kwargs) -> Coroutine[Any, Any, UUID]:
        """Push the job with these arguments and return its id."""
        new = self.new(*args, **kwargs)
        if self._connection is None:
            return self._app.storage.push(new)
        return self._app.in_transaction("push")(new, connection=self._connection)

    def push_nowait(self, /, *args: PushP.args, **kwargs: PushP.kwargs) -> UUID:
        """`push` as a plain call, on a storage that has one; `TypeError` elsewhere."""
        push_nowait = getattr(self._app.storage, "push_nowait", None)
        if push_nowait is None or self._connection is not None:
            raise TypeError(
                f"{type(self._app.storage).__name__} has no plain call for this: await push(), or use App.blocking()"
            )
        job_id: UUID = push_nowait(self.new(*args, **kwargs))
        return job_id

    async def push_many(self, calls: Iterable[NewJobInfo | tuple[Any, ...] | Mapping[str, Any]]) -> list[UUID]:
        """Push many, all or none where the storage takes batches; their ids in order.

        Each call is what `new` returns, a tuple of positional or a mapping of named arguments.
        """
        jobs = [self._of_call(call) for call in calls]
        if self._connection is None:
            return await self._app.push_many(jobs)
        ids: list[UUID] = await self._app.in_transaction("push_many")(jobs, connection=self._connection)
        return ids

    def options(
        self,
        *,
        after: timedelta | None = None,
        at: datetime | None = None,
        queue: str = UNSET,
        priority: int = UNSET,
        max_retries: int | None = UNSET,
        backoff: Backoff = UNSET,
        heartbeat_interval: timedelta = UNSET,
        id: UUID | None = None,
        connection: Any = None,
    ) -> Pusher[PushP]:
        """The same job with other options, for one push or many.

        It becomes due `after` so long, or `at` an aware datetime. An `id` of your own makes the push idempotent.
        `connection` pushes inside your own transaction, on a storage that has transactions to share.
        """
        if after is not None and at is not None:
            raise InvalidJob("after, at", "cannot both tell when the job becomes due")
        if not isinstance(after, timedelta | None):
            raise InvalidJobType("after", "a timedelta", after)
        if not isinstance(at, datetime | None):
            raise InvalidJobType("at", "an aware datetime", at)
        given: dict[str, Any] = {
            "queue": queue,
            "priority": priority,
            "max_retries": max_retries,
            "backoff": backoff,
            "heartbeat_interval": heartbeat_interval,
        }
        options: dict[str, Any] = {
            **self._options,
            **{name: value for name, value in given.items() if value is not UNSET},
        }
        options |= {"next_queue": at if after is None else after, "id": id}
        NewJobInfo(self._name, **options)
        return Pusher(self._app, self._name, self._arguments, options, connection)

    def _of_call(self, call: object) -> NewJobInfo:
        if isinstance(call, NewJobInfo):
            return call
        new: Callable[..., NewJobInfo] = self.new
        if isinstance(call, tuple):
            return new(*call)
        if isinstance(call, Mapping):
            return new(**call)
        raise InvalidJobType("call", "a tuple or a mapping of arguments, or what new() returns", call)


class Job(Pusher[PushP], Generic[PushP, CallP, R]):
    """A function that was registered with an app. Calling it just calls the function.

    `name`, `queue`, `timeout` (seconds, or None) and `executor` are as they were given; `function` is the function.
    """

    def __init__(
        self,
        app: App,
        function: Callable[CallP, R],
        name: str,
        options: Mapping[str, Any],
        timeout: timedelta | float | None,
        executor: Executor | None,
    ) -> None:
        signature, wants_context = _without_context(name, function)
        self.wants_context: bool = wants_context
        super().__init__(app, name, Arguments(name, signature, function), options, None)
        self.function: Callable[CallP, R] = function
        self.is_async: bool = inspect.iscoroutinefunction(function)
        self.timeout: float | None = _timeout(timeout)
        self.executor: Executor | None = _executor(name, executor, self)
        self.unpack: Callable[[bytes], dict[str, Any]] = self._arguments.unpack
        self.queue: str = NewJobInfo(name, **options).queue
        functools.update_wrapper(self, function)

    @property
    def name(self) -> str:
        """Under which it travels."""
        return self._name

    def __call__(self, /, *args: CallP.args, **kwargs: CallP.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Job {self._name!r} of {self.function.__module__}.{self.function.__qualname__}>"


def _without_context(name: str, function: Callable[..., Any]) -> tuple[inspect.Signature, bool]:
    """The signature that a push sees, and whether the function takes a `JobContext` before that."""
    try:
        signature = _signature(function)
    except ValueError as error:
        raise InvalidCall(f"{name}()", f"has parameters that Python does not tell: {error}") from None
    parameters = list(signature.parameters.values())
    of_context = [parameter for parameter in parameters if _is_context(function, parameter.annotation)]
    if not of_context:
        return signature, False
    if of_context != parameters[:1] or of_context[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise InvalidCall(f"{name}()", "may take a JobContext as its first parameter only")
    return signature.replace(parameters=parameters[1:]), True


def _is_context(function: Callable[..., Any], annotation: object) -> bool:
    annotation = getattr(annotation, "__forward_arg__", annotation)
    if isinstance(annotation, str):  # the name may be for type checkers only
        name = annotation.strip("\"'").rpartition(".")[2]
        annotation = getattr(inspect.unwrap(function), "__globals__", {}).get(
            name, JobContext if name == "JobContext" else None
        )
    return annotation is JobContext


def _timeout(timeout: timedelta | float | None) -> float | None:
    if timeout is None:
        return None
    seconds = check_seconds("timeout", timeout)
    if seconds == 0:
        raise InvalidJob("timeout", "must be more than 0 seconds")
    return seconds


def _executor(name: str, executor: object, job: Job[..., ..., Any]) -> Executor | None:
    if job.is_async:
        if executor is not None:
            raise InvalidJob(f"{name}()", "is async: it runs on the event loop, and takes no executor")
        return None
    if executor not in (None, "thread", "process"):
        raise InvalidJob("executor", f"must be 'thread' or 'process', not {executor!r}")
    if executor == "process" and job.wants_context:
        raise InvalidCall(f"{name}()", "cannot take a JobContext into another process")
    return "process" if executor == "process" else "thread"
