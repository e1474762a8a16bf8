# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""`JobInfo`: a job in a storage, as it was when somebody asked.

It has what its `NewJobInfo` had, by reference, and what a storage knows: handing a job out copies a few numbers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from jobcore._ids import high_from_bytes, low_from_bytes, uuid7_at, uuid_from_halves, uuid_high, uuid_low
from jobcore._json import decode_document, encode_document
from jobcore._time import later, to_datetime, to_microseconds
from jobcore.errors import InvalidJob, InvalidJobType
from jobcore.jobs._backoff import Backoff
from jobcore.jobs._checks import (
    MAX_COUNT,
    check_duration,
    check_error,
    check_int,
    check_moment,
    check_result,
    check_uuid,
    represent,
)
from jobcore.jobs._new import (
    DEFAULT_BACKOFF,
    DEFAULT_HEARTBEAT,
    SPEC,
    JobSpec,
    NewJobInfo,
    copy_spec,
    encode_args,
    fill_spec,
    fill_spec_from_data,
    spec_key,
    spec_to_data,
)
from jobcore.jobs._results import JobResult
from jobcore.jobs._returned import ReturnJobInfo, make_return

COUNTS = ("retry_count", "delivery_count", "lost_count")


class JobInfo(JobSpec):
    """A job in a storage, as it was when you asked. Immutable; made by storages.

    `retry_count` counts the put-backs after failures, `delivery_count` the pops, `lost_count` the pops that followed
    a lease that ran out.
    """

    __slots__ = ("_delivery_count", "_due", "_high", "_last_error", "_lost_count", "_low", "_retry_count")

    _delivery_count: int
    _due: int
    _high: int
    _last_error: str | None
    _lost_count: int
    _low: int
    _retry_count: int

    def __init__(
        self,
        id: UUID,
        name: str,
        args: Any = None,
        *,
        queue: str = "default",
        priority: int = 0,
        max_retries: int | None = 5,
        backoff: Backoff = DEFAULT_BACKOFF,
        heartbeat_interval: timedelta = DEFAULT_HEARTBEAT,
        next_queue: datetime,
        retry_count: int = 0,
        delivery_count: int = 0,
        lost_count: int = 0,
        last_error: str | None = None,
    ) -> None:
        fill_spec(self, name, encode_args(args), queue, priority, max_retries, backoff, heartbeat_interval)
        fill_job(self, id, next_queue, retry_count, delivery_count, lost_count, last_error)

    @staticmethod
    def from_new(
        new: JobSpec,
        id: UUID,
        next_queue: datetime,
        *,
        retry_count: int = 0,
        delivery_count: int = 0,
        lost_count: int = 0,
        last_error: str | None = None,
    ) -> JobInfo:
        """The job `new` as it lies in a storage, its arguments as they are; for authors of storages."""
        if not isinstance(new, JobSpec):
            raise InvalidJobType("new", "a NewJobInfo", new)
        job = JobInfo.__new__(JobInfo)
        copy_spec(job, new)
        fill_job(job, id, next_queue, retry_count, delivery_count, lost_count, last_error)
        return job

    @property
    def id(self) -> UUID:
        """The id that the push returned."""
        return uuid_from_halves(self._high, self._low)

    @property
    def due(self) -> int:
        """`next_queue` in microseconds since 1970."""
        return self._due

    @property
    def next_queue(self) -> datetime:
        """When it becomes (or became) due, UTC."""
        return to_datetime(self._due)

    @property
    def retry_count(self) -> int:
        """How often it was put back after a failure."""
        return self._retry_count

    @property
    def delivery_count(self) -> int:
        """How often it was popped, this time included."""
        return self._delivery_count

    @property
    def lost_count(self) -> int:
        """How often it was popped because the lease before had run out."""
        return self._lost_count

    @property
    def last_error(self) -> str | None:
        """The text of the last failure."""
        return self._last_error

    def unexecuted(self) -> ReturnJobInfo:
        """To hand the job back as it was, on the id alone."""
        return ReturnJobInfo(self.id, JobResult.UNEXECUTED)

    def returned(
        self, result: JobResult, runner_id: UUID | None, *, delay: timedelta | None = None, error: str | None = None
    ) -> ReturnJobInfo:
        """To hand this delivery of the job back: fills in its id, the runner and the delivery."""
        return make_return(
            self._high,
            self._low,
            check_result(result),
            runner_id,
            self._delivery_count,
            None if delay is None else check_duration("delay", delay),
            None if error is None else check_error(error),
        )

    def next_queue_id(self) -> UUID:
        """A fresh UUID of version 7 that sorts by `next_queue`, to the millisecond."""
        return uuid7_at(self._due // 1000)

    def prepare_retry(
        self, now: datetime | None = None, *, delay: timedelta | None = None, error: str | None = None
    ) -> JobInfo | None:
        """The job to put back after a failure at `now` (default: this moment); `None` when its retries are used up.

        `delay` takes the place of the backoff; `error` is the text of the failure.
        """
        return retried(
            self,
            to_microseconds(datetime.now(UTC)) if now is None else check_moment("now", now),
            None if delay is None else check_duration("delay", delay),
            None if error is None else check_error(error),
        )

    def to_json(self) -> str:
        """The job as one JSON object; `from_json` reads it back without loss."""
        fields = spec_to_data(self)
        fields["id"] = str(self.id)
        fields["next_queue"] = self.next_queue.isoformat()
        fields["last_error"] = self._last_error
        for count in COUNTS:
            fields[count] = getattr(self, count)
        return encode_document(fields, self._args)

    @staticmethod
    def from_json(text: str | bytes) -> JobInfo:
        """The job that `to_json` wrote down; `InvalidJob` where the text is something else."""
        try:
            fields, raw_args = decode_document(text)
            job = JobInfo.__new__(JobInfo)
            fill_spec_from_data(job, fields, raw_args)
            fill_job(
                job,
                UUID(fields["id"]),
                datetime.fromisoformat(fields["next_queue"]),
                fields["retry_count"],
                fields["delivery_count"],
                fields["lost_count"],
                fields["last_error"],
            )
        except InvalidJob:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise InvalidJob("JSON", f"is not a JobInfo: {error!r}") from error
        return job

    def _key(self) -> tuple[Any, ...]:
        counts = (self._retry_count, self._delivery_count, self._lost_count)
        return (*spec_key(self), self._high, self._low, self._due, *counts, self._last_error)

    def __eq__(self, other: object, /) -> bool:
        return isinstance(other, JobInfo) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return represent(self, ("id", "name", "args", *SPEC, "next_queue", *COUNTS, "last_error"))

    def __reduce__(self) -> tuple[Any, ...]:
        return JobInfo.from_json, (self.to_json(),)


def fill_job(
    job: JobInfo,
    id: object,
    next_queue: object,
    retry_count: object,
    delivery_count: object,
    lost_count: object,
    last_error: object,
) -> None:
    """Check what a storage knows of a job and give it to a bare one."""
    uuid = check_uuid("id", id)
    job._high = uuid_high(uuid)
    job._low = uuid_low(uuid)
    job._due = check_moment("next_queue", next_queue)
    job._retry_count = check_int("retry_count", retry_count, 0, MAX_COUNT)
    job._delivery_count = check_int("delivery_count", delivery_count, 0, MAX_COUNT)
    job._lost_count = check_int("lost_count", lost_count, 0, MAX_COUNT)
    job._last_error = None if last_error is None else check_error(last_error)


def stored(
    handle: NewJobInfo | JobInfo, high: int, low: int, due: int, delivery_count: int, lost_count: int
) -> JobInfo:
    """The job that an index keeps under `handle`: a `NewJobInfo` at first, the `JobInfo` that was put back later."""
    job = JobInfo.__new__(JobInfo)
    copy_spec(job, handle)
    job._high = high
    job._low = low
    job._due = due
    job._delivery_count = delivery_count
    job._lost_count = lost_count
    if isinstance(handle, NewJobInfo):
        job._retry_count = 0
        job._last_error = None
    else:
        before = handle
        job._retry_count = before._retry_count
        job._last_error = before._last_error
    return job


def retried(job: JobInfo, now: int, delay: int | None, error: str | None) -> JobInfo | None:
    """`prepare_retry` in microseconds."""
    attempt = job._retry_count + 1
    limit = job.max_retries
    if limit is not None and attempt > limit:
        return None
    rest = job.backoff.delay(attempt) * 1e6 if delay is None else delay
    again = stored(job, job._high, job._low, later(now, rest), job._delivery_count, job._lost_count)
    again._retry_count = attempt
    again._last_error = error
    return again


def loaded(
    id: bytes,
    name: str,
    raw_args: bytes,
    queue: str,
    priority: int,
    max_retries: int,
    backoff: str,
    heartbeat: int,
    due: int,
    retry_count: int,
    delivery_count: int,
    lost_count: int,
    last_error: str | None,
) -> JobInfo:
    """The job that a storage wrote down in the terms of `spec_key`; it was checked when it was pushed."""
    job = JobInfo.__new__(JobInfo)
    job._high = high_from_bytes(id)
    job._low = low_from_bytes(id)
    job._name = name
    job._args = raw_args
    job._queue = queue
    job._priority = priority
    job._max_retries = max_retries
    job._backoff = backoff
    job._heartbeat = heartbeat
    job._due = due
    job._retry_count = retry_count
    job._delivery_count = delivery_count
    job._lost_count = lost_count
    job._last_error = last_error
    return job
