"""What can go wrong, as a small tree.

An error carries its datum and composes its own message. Mistakes of the caller (`InvalidJob`) are raised where they
are made; the rest tell what the storage knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any
    from uuid import UUID


class JobcoreError(Exception):
    """Base of every error of this package."""


class InvalidJob(JobcoreError, ValueError):
    """A value that no storage takes: an empty name, a naive datetime, NaN in the arguments, ...

    `field` names what was wrong, `reason` says why.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field} {self.reason}"


class InvalidJobType(InvalidJob, TypeError):
    """The same for a value of the wrong type; a `TypeError` too."""

    def __init__(self, field: str, expected: str, value: object | None = None) -> None:
        found = "" if value is None else f", not {type(value).__name__}"
        super().__init__(field, f"must be {expected}{found}")
        self.args: tuple[Any, ...] = (field, expected, value)


class NotAStorage(InvalidJob, TypeError):
    """An object that is no storage; `missing` names the methods that it lacks."""

    def __init__(self, value: object, missing: Sequence[str]) -> None:
        lacks = f"{type(value).__name__} has no {', '.join(missing)}"
        super().__init__("storage", f"must be a storage or the URL of one: {lacks}")
        self.args: tuple[Any, ...] = (value, missing)
        self.value = value
        self.missing = missing


class InvalidCall(InvalidJob, TypeError):
    """Arguments that the function of a job does not take, at the push or, as JSON, at the worker."""


class InvalidURL(JobcoreError, ValueError):
    """A URL that names no storage; `reason` says why."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.url!r} {self.reason}"


class NotInstalled(JobcoreError, ImportError):
    """What this needs is not installed; `extra` names the part of jobcore that brings it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, extra)
        self.what = what
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.what} is not installed, and this needs it: pip install 'jobcore[{self.extra}]'"


class LeaseLost(JobcoreError):
    """The runner does not hold this job (any more): it was popped again, put back, removed, or was never popped."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"the lease of job {self.job_id} is not yours (any more)"


class StorageClosed(JobcoreError):
    """The storage was closed, or it was opened in another process and forked into this one."""

    def __init__(self, reason: str = "it was closed") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"this storage takes no calls: {self.reason}"


class StorageUnavailable(JobcoreError):
    """The storage lost its database; the cause is chained. It works again when the database does."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the storage cannot reach its database: {self.reason}"
