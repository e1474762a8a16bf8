"""Moving jobs from one durable storage to another: none is lost, none is run twice, whenever it is interrupted.

A batch of jobs goes over in four steps, each of them durable before the next:

    hold      in the source, no runner gets them any more
    receive   they are in the target too, and no runner gets them there
    forget    they are gone from the source
    release   the runners of the target get them

So at every moment a job can be popped in one of the two at most. A move that was interrupted is run again, and must be:
what it held stays held. The source holds what was not forgotten: it is received again, which changes nothing where it
is there, since nobody could have taken it. What is kept in the target after that is released at the end, whether its
source is gone since now or since the last time.

Jobs that a runner works on stay where they are: it will complete them, or its lease runs out, and the next run of the
move takes them. Ids, counts and order are kept; a lease that ran out counts as lost. One move at a time between two
storages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jobcore.errors import JobcoreError
from jobcore.storage import missing_methods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeGuard
    from uuid import UUID

    from jobcore.jobs import JobInfo

__all__ = ["Movable", "NotMovable", "copy"]

BATCH = 500


@runtime_checkable
class Movable(Protocol):
    """What a storage needs for its jobs to be moved; each call is one transaction."""

    async def hold(self, after: int, limit: int) -> tuple[int, list[JobInfo]]:
        """Keep up to `limit` jobs from the runners, from a position on; the position of the last, and the jobs."""
        ...

    async def receive(self, jobs: Iterable[JobInfo]) -> None:
        """Put these in as they are, kept from the runners; known ids change nothing."""
        ...

    async def forget(self, job_ids: Iterable[UUID]) -> None:
        """Remove those of these that are kept from the runners."""
        ...

    async def release(self, job_ids: Iterable[UUID] | None = None) -> None:
        """Let the runners have those of these that are kept from them; by default all."""
        ...


class NotMovable(JobcoreError, TypeError):
    """A storage whose jobs do not outlast the process."""

    def __init__(self, storage: object) -> None:
        super().__init__(storage)
        self.storage = storage

    def __str__(self) -> str:
        return f"{type(self.storage).__name__} keeps no jobs beyond the process: there is nothing to copy"


async def copy(source: object, target: object, *, progress: Callable[[int], None] | None = None) -> int:
    """Move all jobs but the running ones; how many. `progress` is called with the number so far after each batch."""
    if not _is_movable(source):
        raise NotMovable(source)
    if not _is_movable(target):
        raise NotMovable(target)
    if source is target or getattr(source, "path", source) == getattr(target, "path", target):
        raise ValueError("the source and the target are the same")

    moved, position = 0, -1
    while True:
        position, jobs = await source.hold(position, BATCH)
        if not jobs:
            break
        ids = [job.id for job in jobs]
        await target.receive(jobs)
        await source.forget(ids)
        await target.release(ids)
        moved += len(jobs)
        if progress is not None:
            progress(moved)
    await target.release()
    return moved


def _is_movable(storage: object) -> TypeGuard[Movable]:
    return not missing_methods(storage, Movable)
