"""What happens to the jobs of a worker, for whoever wants to hear of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from jobcore.errors import InvalidJob

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore.jobs import JobInfo

EventKind: TypeAlias = Literal["started", "succeeded", "failed", "dead", "lease_lost"]
"""`failed` is put back and will be tried again; `dead` is removed without success; `lease_lost` is now somebody else's.

A job that is handed back unexecuted (a shutdown, a snooze, an unknown name) is no event.
"""

KINDS: tuple[EventKind, ...] = get_args(EventKind)


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job: the whole job, so that nobody loses one silently.

    `error` is the text of what went wrong, `exception` the exception itself where there was one.
    """

    kind: EventKind
    job: JobInfo
    runner_id: UUID
    error: str | None = None
    exception: BaseException | None = None


EventHandler: TypeAlias = Callable[[JobEvent], Awaitable[None] | None]


def check_kind(kind: object) -> EventKind:
    """One of the kinds; `InvalidJob` for another word."""
    if kind not in KINDS:
        raise InvalidJob("event", f"must be one of {', '.join(KINDS)}, not {kind!r}")
    return kind
