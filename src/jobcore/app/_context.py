"""`JobContext`: what a function may know of the execution that it is."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from jobcore.errors import InvalidJobType

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from uuid import UUID

    from jobcore.jobs import JobInfo
    from jobcore.storage import Storage

_logger = logging.getLogger("jobcore.job")


class HandBack(BaseException):
    """Ends a function early, to hand its job back otherwise than as done or failed.

    Not an `Exception`, for the same reason as `CancelledError`: `except Exception` must not keep it.
    """


class Snoozed(HandBack):
    """The job is put back as it was, to come due `delay` later."""

    def __init__(self, delay: timedelta) -> None:
        super().__init__(delay)
        self.delay = delay


class GivenUp(HandBack):
    """The job is hopeless."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class JobLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the job to each record: `job_id`, `job_name`, `queue` and `delivery`."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Merge the job with the `extra` of the call."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def job_fields(job: JobInfo) -> dict[str, Any]:
    """What a log record says of a job."""
    return {"job_id": str(job.id), "job_name": job.name, "queue": job.queue, "delivery": job.delivery_count}


class JobContext:
    """One execution of a job, for the function that asks for it as its first parameter, and for middleware.

    `job` is the job as it was popped, `runner_id` who holds it, `state` what the app's lifespan yielded.
    """

    __slots__ = ("_logger", "_storage", "job", "runner_id", "state")

    def __init__(self, job: JobInfo, runner_id: UUID, state: Any, storage: Storage) -> None:
        self.job: JobInfo = job
        self.runner_id: UUID = runner_id
        self.state: Any = state
        self._storage = storage
        self._logger: JobLogger | None = None

    @property
    def logger(self) -> JobLogger:
        """A logger whose records carry the job."""
        if self._logger is None:
            self._logger = JobLogger(_logger, job_fields(self.job))
        return self._logger

    async def heartbeat(self) -> None:
        """Renew the lease at once, which the worker does by itself; `LeaseLost` when the job is no longer yours."""
        await self._storage.heartbeat(self.job.id, self.runner_id, self.job.delivery_count)

    def snooze(self, delay: timedelta) -> NoReturn:
        """End here, and come due again `delay` later; no retry is counted."""
        if not isinstance(delay, timedelta):
            raise InvalidJobType("delay", "a timedelta", delay)
        raise Snoozed(delay)

    def give_up(self, reason: str) -> NoReturn:
        """End here: the job is dead, whatever retries are left."""
        if not isinstance(reason, str):
            raise InvalidJobType("reason", "a string", reason)
        raise GivenUp(reason)

    def __repr__(self) -> str:
        return f"<JobContext of {self.job.name} {self.job.id}, delivery {self.job.delivery_count}>"
