# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""What a value must be to enter a job, said once for all of them.

Each check returns the value in its exact, plain form, or raises `InvalidJob` (a `TypeError` too for a wrong type).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from sys import float_info
from typing import TypeVar
from uuid import UUID

from jobcore._text import is_plain
from jobcore._time import MICROSECOND, to_microseconds
from jobcore.errors import InvalidJob, InvalidJobType
from jobcore.jobs._results import RESULTS, JobResult

T = TypeVar("T")

MAX_NAME_BYTES = 64 * 1024
MAX_QUEUE_BYTES = 255
MAX_COUNT = 2**31 - 1
MAX_DELAY = 2**62
"""In microseconds: far past the latest date, and no sum of it with a moment leaves 64 bits."""

_SUCCESS = JobResult.SUCCESS


def check_text(field: str, value: object, limit: int) -> str:
    """1 to `limit` bytes of UTF-8, without NUL and lone surrogates."""
    if is_plain(value, limit):
        return value
    if not isinstance(value, str):
        raise InvalidJobType(field, "a string", value)
    exact = value if type(value) is str else str.__str__(value)
    size = len(exact)
    if not exact.isascii():
        try:
            size = len(exact.encode())
        except UnicodeEncodeError:
            raise InvalidJob(field, "must not hold lone surrogates") from None
    if size == 0:
        raise InvalidJob(field, "must not be empty")
    if size > limit:
        raise InvalidJob(field, f"must have at most {limit} bytes, not {size}")
    if "\0" in exact:
        raise InvalidJob(field, "must not hold NUL")
    return exact


def check_queue(value: object) -> str:
    """The name of a queue: 1 to 255 bytes."""
    return check_text("queue", value, MAX_QUEUE_BYTES)


def check_uuid(field: str, value: object) -> UUID:
    """A `uuid.UUID`."""
    if not isinstance(value, UUID):
        raise InvalidJobType(field, "a uuid.UUID", value)
    return value


def check_int(field: str, value: object, low: int, high: int) -> int:
    """An `int` from `low` to `high`; a `bool` is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidJobType(field, "an int", value)
    try:
        number = value
    except OverflowError:  # in the compiled form, where a number has 64 bits
        raise InvalidJob(field, f"must be from {low} to {high}") from None
    if not low <= number <= high:
        raise InvalidJob(field, f"must be from {low} to {high}")
    return number


def check_moment(field: str, value: object) -> int:
    """An aware datetime, as microseconds since 1970."""
    if not isinstance(value, datetime):
        raise InvalidJobType(field, "an aware datetime", value)
    if value.utcoffset() is None:
        raise InvalidJob(field, "must be an aware datetime; this one is naive")
    return to_microseconds(value)


def check_duration(field: str, value: object) -> int:
    """A timedelta, as microseconds; what is longer than `MAX_DELAY` counts as that long."""
    if not isinstance(value, timedelta):
        raise InvalidJobType(field, "a timedelta", value)
    return max(-MAX_DELAY, min(value // MICROSECOND, MAX_DELAY))


def check_seconds(field: str, value: object) -> float:
    """A timedelta or a number of seconds, 0 or more; a `bool` is none."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InvalidJobType(field, "a timedelta or a number of seconds", seconds)
    if not 0 <= seconds <= float_info.max:
        raise InvalidJob(field, "must be 0 seconds or more, and finite")
    return float(seconds)


def check_error(value: object) -> str:
    """The text of an error; what no storage could keep in it (NUL, lone surrogates) is written as an escape."""
    if not isinstance(value, str):
        raise InvalidJobType("error", "a string", value)
    return str.__str__(value).replace("\0", "\\x00").encode(errors="backslashreplace").decode()


def check_result(value: object) -> int:
    """A `JobResult`, as its place in `RESULTS`."""
    if value is _SUCCESS:
        return 0
    if not isinstance(value, JobResult):
        raise InvalidJobType("result", "a JobResult", value)
    return RESULTS.index(value)


def check_all(field: str, values: Iterable[T], kind: type[T]) -> list[T]:
    """A batch: a list of values that are all of this kind."""
    batch = list(values)
    for value in batch:
        if not isinstance(value, kind):
            raise InvalidJobType(field, f"a {kind.__name__}", value)
    return batch


def represent(value: object, fields: tuple[str, ...]) -> str:
    """`Class(field=value, ...)`, as dataclasses print themselves."""
    shown = ", ".join(f"{field}={getattr(value, field)!r}" for field in fields)
    return f"{type(value).__name__}({shown})"
