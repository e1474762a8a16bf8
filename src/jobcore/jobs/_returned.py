# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False
"""`ReturnJobInfo`: a job on its way back from a runner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from jobcore.jobs._checks import (
    MAX_COUNT,
    check_duration,
    check_error,
    check_int,
    check_result,
    check_uuid,
    represent,
)
from jobcore.jobs._results import JobResult

ANY_DELIVERY = -1


class ReturnJobInfo:
    """What a runner hands to `complete`: which job, how it went, and who says so. Immutable.

    `runner_id` and `delivery` (the job's `delivery_count`) are the fence: the storage acts only if this delivery is
    still the one that holds the job. `runner_id=None` acts on the id alone. `delay` lets a job that is put back come
    due that much later, in place of the backoff; `error` becomes the job's `last_error` after a failure.

    Raises `InvalidJob` (a `TypeError` too) for values of the wrong type.
    """

    __slots__ = ("_delay", "_delivery", "_error", "_id", "_result", "_runner_id")

    def __init__(
        self,
        id: UUID,
        result: JobResult,
        runner_id: UUID | None = None,
        delivery: int | None = None,
        delay: timedelta | None = None,
        error: str | None = None,
    ) -> None:
        self._id = check_uuid("id", id)
        self._result = check_result(result)
        self._runner_id = None if runner_id is None else check_uuid("runner_id", runner_id)
        self._delivery = ANY_DELIVERY if delivery is None else check_int("delivery", delivery, 0, MAX_COUNT)
        self._delay = None if delay is None else check_duration("delay", delay)
        self._error = None if error is None else check_error(error)

    @property
    def id(self) -> UUID:
        """The job."""
        return self._id

    @property
    def result(self) -> JobResult:
        """How it went."""
        return self._result

    @property
    def runner_id(self) -> UUID | None:
        """Who says so; `None` acts on the id alone."""
        return self._runner_id

    @property
    def delivery(self) -> int | None:
        """Which delivery of the job this is; `None` for whichever the runner holds."""
        return None if self._delivery == ANY_DELIVERY else self._delivery

    @property
    def delay(self) -> timedelta | None:
        """How much later a job that is put back comes due."""
        return None if self._delay is None else timedelta(microseconds=self._delay)

    @property
    def delay_microseconds(self) -> int | None:
        """`delay` in microseconds."""
        return self._delay

    @property
    def error(self) -> str | None:
        """What went wrong, in words."""
        return self._error

    def _key(self) -> tuple[Any, ...]:
        return (self._id, self._result, self._runner_id, self._delivery, self._delay, self._error)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReturnJobInfo) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return represent(self, ("id", "result", "runner_id", "delivery", "delay", "error"))

    def __reduce__(self) -> tuple[Any, ...]:
        return ReturnJobInfo, (self._id, self._result, self._runner_id, self.delivery, self.delay, self._error)


def make_return(
    id: UUID, result: JobResult, runner_id: UUID | None, delivery: int, delay: int | None, error: str | None
) -> ReturnJobInfo:
    """A `ReturnJobInfo` of parts that were checked before."""
    returned = ReturnJobInfo.__new__(ReturnJobInfo)
    returned._id = id
    returned._result = result
    returned._runner_id = runner_id
    returned._delivery = delivery
    returned._delay = delay
    returned._error = error
    return returned
