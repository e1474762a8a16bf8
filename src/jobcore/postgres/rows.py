"""Jobs on their way into the tables, as rows of what the statements take."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jobcore._time import EARLIEST, MICROSECOND
from jobcore.jobs._new import spec_key
from jobcore.postgres.statements import BACKOFF

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore.jobs import JobInfo, NewJobInfo

Row = tuple[Any, ...]


def row_of(new: NewJobInfo, job_id: UUID) -> Row:
    """A job to push; when it is due as a moment, or as microseconds from the push."""
    name, args, queue, priority, max_retries, backoff, heartbeat = spec_key(new)
    when = new.next_queue
    moment, delay = None, 0
    if isinstance(when, timedelta):
        delay = max(EARLIEST, when // MICROSECOND)
    elif when is not None:
        moment = when.isoformat()
    return (job_id, name, args.decode(), queue, priority, max_retries, _brief(backoff), heartbeat, moment, delay)


def row_of_stored(job: JobInfo) -> Row:
    """A job to receive as it is."""
    name, args, queue, priority, max_retries, backoff, heartbeat = spec_key(job)
    spec = (job.id, name, args.decode(), queue, priority, max_retries, _brief(backoff), heartbeat)
    return (*spec, job.next_queue.isoformat(), job.retry_count, job.delivery_count, job.lost_count, job.last_error)


def _brief(backoff: str) -> str | None:
    return None if backoff == BACKOFF else backoff
