# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""`ReturnJobInfo`: a job on its way back from a runner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from jobcore._ids import bytes_from_halves, uuid_from_halves, uuid_high, uuid_low
from jobcore.jobs._checks import (
    MAX_COUNT,
    check_duration,
    check_error,
    check_int,
    check_result,
    check_uuid,
    represent,
)
from jobcore.jobs._results import RESULTS, JobResult

_ANY_DELIVERY = -1
_NO_DELAY = -(2**63)


class ReturnJobInfo:
    """What a runner hands to `complete`: which job, how it went, and who says so. Immutable.

    `runner_id` and `delivery` (the job's `delivery_count`) are the fence: the storage acts only if this delivery is
    still the one that holds the job. `runner_id=None` acts on the id alone. `delay` lets a job that is put back come
    due that much later, in place of the backoff; `error` becomes the job's `last_error` after a failure.

    Raises `InvalidJob` (a `TypeError` too) for values of the wrong type.
    """

    __slots__ = (
        "_delay",
        "_delivery",
        "_error",
        "_has_runner",
        "_high",
        "_low",
        "_result",
        "_runner_high",
        "_runner_low",
    )

    _delay: int
    _delivery: int
    _error: str | None
    _has_runner: bool
    _high: int
    _low: int
    _result: int
    _runner_high: int
    _runner_low: int

    def __init__(
        self,
        id: UUID,
        result: JobResult,
        runner_id: UUID | None = None,
        delivery: int | None = None,
        delay: timedelta | None = None,
        error: str | None = None,
    ) -> None:
        check_uuid("id", id)
        fill(
            self,
            uuid_high(id),
            uuid_low(id),
            check_result(result),
            runner_id,
            _ANY_DELIVERY if delivery is None else check_int("delivery", delivery, 0, MAX_COUNT),
            None if delay is None else check_duration("delay", delay),
            None if error is None else check_error(error),
        )

    @property
    def id(self) -> UUID:
        """The job."""
        return uuid_from_halves(self._high, self._low)

    @property
    def result(self) -> JobResult:
        """How it went."""
        return RESULTS[self._result]

    @property
    def runner_id(self) -> UUID | None:
        """Who says so; `None` acts on the id alone."""
        return uuid_from_halves(self._runner_high, self._runner_low) if self._has_runner else None

    @property
    def delivery(self) -> int | None:
        """Which delivery of the job this is; `None` for whichever the runner holds."""
        return None if self._delivery == _ANY_DELIVERY else self._delivery

    @property
    def delay(self) -> timedelta | None:
        """How much later a job that is put back comes due."""
        return None if self._delay == _NO_DELAY else timedelta(microseconds=self._delay)

    @property
    def delay_microseconds(self) -> int | None:
        """`delay` in microseconds."""
        return None if self._delay == _NO_DELAY else self._delay

    @property
    def error(self) -> str | None:
        """What went wrong, in words."""
        return self._error

    def _key(self) -> tuple[Any, ...]:
        return (self.id, self._result, self.runner_id, self._delivery, self._delay, self._error)

    def __eq__(self, other: object, /) -> bool:
        return isinstance(other, ReturnJobInfo) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return represent(self, ("id", "result", "runner_id", "delivery", "delay", "error"))

    def __reduce__(self) -> tuple[Any, ...]:
        return ReturnJobInfo, (self.id, self.result, self.runner_id, self.delivery, self.delay, self._error)


def make_return(
    high: int,
    low: int,
    result: int,
    runner_id: UUID | None,
    delivery: int,
    delay: int | None,
    error: str | None,
) -> ReturnJobInfo:
    """A `ReturnJobInfo` of parts that were checked before, the runner aside; the id in halves."""
    returned = ReturnJobInfo.__new__(ReturnJobInfo)
    fill(returned, high, low, result, runner_id, delivery, delay, error)
    return returned


def fill(
    returned: ReturnJobInfo,
    high: int,
    low: int,
    result: int,
    runner_id: UUID | None,
    delivery: int,
    delay: int | None,
    error: str | None,
) -> None:
    """Give a bare `ReturnJobInfo` its fields."""
    returned._high = high
    returned._low = low
    returned._result = result
    returned._has_runner = runner_id is not None
    if runner_id is None:
        returned._runner_high = 0
        returned._runner_low = 0
    else:
        check_uuid("runner_id", runner_id)
        returned._runner_high = uuid_high(runner_id)
        returned._runner_low = uuid_low(runner_id)
    returned._delivery = delivery
    returned._delay = _NO_DELAY if delay is None else delay
    returned._error = error


def key_of(returned: ReturnJobInfo) -> tuple[bytes, tuple[bytes | None, int | None]]:
    """Which job, and who says so: runner and delivery; two times None acts on the id alone."""
    id = bytes_from_halves(returned._high, returned._low)
    if not returned._has_runner:
        return id, (None, None)
    runner = bytes_from_halves(returned._runner_high, returned._runner_low)
    return id, (runner, None if returned._delivery == _ANY_DELIVERY else returned._delivery)
