# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""`NewJobInfo`, a job on its way into a storage, and `JobSpec`, what it has in common with a stored one.

A new job stays in memory as it is, one reference from the index, for as long as the job is there. Every field is a
number, a `str` or `bytes`, since Cython then knows that no job can be part of a reference cycle and leaves the garbage
collector out of it: a million jobs cost it nothing, and each is 16 bytes smaller.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from jobcore._json import decode, decode_document, encode, encode_document
from jobcore._time import MICROSECOND, later, to_datetime
from jobcore.errors import InvalidJob, InvalidJobType
from jobcore.jobs._backoff import Backoff, Exponential, Linear, backoff_from_text
from jobcore.jobs._checks import (
    MAX_COUNT,
    MAX_NAME_BYTES,
    check_duration,
    check_int,
    check_moment,
    check_queue,
    check_text,
    check_uuid,
    represent,
)

MAX_ARGS_BYTES = 256 * 1024 * 1024

_NO_LIMIT = -1

# When a new job becomes due: at the storage's time of the push, at a moment, or so long after the push.
_AT_PUSH = 0
_AT_MOMENT = 1
_AFTER_PUSH = 2

DEFAULT_BACKOFF = Exponential(2)
DEFAULT_HEARTBEAT = timedelta(seconds=5)
_DEFAULT_HEARTBEAT = DEFAULT_HEARTBEAT // MICROSECOND
_SHORTEST_HEARTBEAT = timedelta(milliseconds=1) // MICROSECOND
_LONGEST_HEARTBEAT = timedelta(days=1) // MICROSECOND

SPEC = ("queue", "priority", "max_retries", "backoff", "heartbeat_interval")


def encode_args(args: Any) -> bytes:
    """The arguments as JSON text; `InvalidJob` for what JSON cannot say."""
    if args is None:
        return b"null"
    try:
        raw = encode(args)
    except MemoryError:
        raise
    except TypeError as error:
        raise InvalidJobType("args", f"something that JSON can say ({error})") from error
    except Exception as error:
        raise InvalidJob("args", f"cannot be encoded as JSON: {error}") from error
    if len(raw) > MAX_ARGS_BYTES:
        raise InvalidJob("args", f"must have at most {MAX_ARGS_BYTES} bytes of JSON, not {len(raw)}")
    return raw


def check_heartbeat(value: object) -> int:
    """A heartbeat interval, in microseconds."""
    if value is DEFAULT_HEARTBEAT:
        return _DEFAULT_HEARTBEAT
    interval = check_duration("heartbeat_interval", value)
    if not _SHORTEST_HEARTBEAT <= interval <= _LONGEST_HEARTBEAT:
        raise InvalidJob("heartbeat_interval", "must be from 1 millisecond to 1 day")
    return interval


class JobSpec:
    """What `NewJobInfo` and `JobInfo` have in common."""

    __slots__ = ("_args", "_backoff", "_heartbeat", "_max_retries", "_name", "_priority", "_queue", "_when")

    _args: bytes
    _backoff: str
    _heartbeat: int
    _max_retries: int
    _name: str
    _priority: int
    _queue: str
    _when: int

    @property
    def name(self) -> str:
        """Which job this is."""
        return self._name

    @property
    def queue(self) -> str:
        """The queue that it goes to."""
        return self._queue

    @property
    def args(self) -> Any:
        """The arguments, decoded afresh."""
        return decode(self._args)

    @property
    def raw_args(self) -> bytes:
        """The arguments as the JSON text that is stored."""
        return self._args

    @property
    def priority(self) -> int:
        """Higher goes first among the jobs that are due."""
        return self._priority

    @property
    def max_retries(self) -> int | None:
        """How often it is put back after a failure; `None` for no limit."""
        return None if self._max_retries == _NO_LIMIT else self._max_retries

    @property
    def backoff(self) -> Backoff:
        """How long it rests before a retry."""
        return backoff_from_text(self._backoff)

    @property
    def heartbeat_interval(self) -> timedelta:
        """A lease lasts five of these."""
        return timedelta(microseconds=self._heartbeat)

    @property
    def heartbeat_microseconds(self) -> int:
        """`heartbeat_interval` in microseconds."""
        return self._heartbeat


def fill_spec(
    spec: JobSpec,
    name: str,
    raw_args: bytes,
    queue: str,
    priority: int,
    max_retries: int | None,
    backoff: Backoff,
    heartbeat_interval: timedelta,
) -> None:
    """Check these values and give them to a bare job."""
    spec._name = check_text("name", name, MAX_NAME_BYTES)
    spec._queue = check_queue(queue)
    spec._priority = check_int("priority", priority, -32768, 32767)
    spec._max_retries = _NO_LIMIT if max_retries is None else check_int("max_retries", max_retries, 0, MAX_COUNT)
    if backoff is not DEFAULT_BACKOFF and not isinstance(backoff, (Linear, Exponential)):
        raise InvalidJobType("backoff", "Linear or Exponential", backoff)
    spec._backoff = backoff.text
    spec._heartbeat = check_heartbeat(heartbeat_interval)
    spec._args = raw_args


def copy_spec(spec: JobSpec, source: JobSpec) -> None:
    """Give a bare job what another one has."""
    spec._name = source._name
    spec._queue = source._queue
    spec._priority = source._priority
    spec._max_retries = source._max_retries
    spec._backoff = source._backoff
    spec._heartbeat = source._heartbeat
    spec._args = source._args


def spec_key(spec: JobSpec) -> tuple[Any, ...]:
    """The job's common part, to compare by."""
    policy = (spec._queue, spec._priority, spec._max_retries, spec._backoff, spec._heartbeat)
    return (spec._name, spec._args, *policy)


def spec_to_data(spec: JobSpec) -> dict[str, Any]:
    """The job's common part, arguments aside, as plain JSON data."""
    return {
        "name": spec._name,
        "queue": spec._queue,
        "priority": spec._priority,
        "max_retries": spec.max_retries,
        "backoff": decode(spec._backoff),
        "heartbeat_interval_us": spec._heartbeat,
    }


def fill_spec_from_data(spec: JobSpec, data: dict[str, Any], raw_args: bytes) -> None:
    """Give a bare job what `spec_to_data` wrote down, and these arguments."""
    heartbeat_interval = timedelta(microseconds=data["heartbeat_interval_us"])
    backoff = backoff_from_text(encode(data["backoff"]).decode())
    policy = (data["queue"], data["priority"], data["max_retries"], backoff, heartbeat_interval)
    fill_spec(spec, data["name"], raw_args, *policy)


class NewJobInfo(JobSpec):
    """A job to push: a name, JSON arguments, a queue and a retry policy. Immutable.

    `name` has 1 to 64 KiB of UTF-8, `queue` 1 to 255 bytes. `args` is anything that JSON can say; it is encoded at
    once, and what is stored comes back byte for byte. `priority` has 16 bits signed; higher goes first among the jobs
    that are due. `max_retries` is `None` for no limit; n retries are n + 1 executions. A runner has
    `5 * heartbeat_interval` (1 ms to 1 day) between two heartbeats. `next_queue` tells when the job becomes due: an
    aware datetime, a timedelta from the push, or `None` for at once. An `id` of your own makes the push idempotent;
    otherwise one is made at the push.

    Raises `InvalidJob` for a value that no storage takes; it is a `TypeError` too where the type is wrong.
    """

    __slots__ = ("_id", "_moment")

    _id: bytes | None
    _moment: int

    def __init__(
        self,
        name: str,
        args: Any = None,
        *,
        queue: str = "default",
        priority: int = 0,
        max_retries: int | None = 5,
        backoff: Backoff = DEFAULT_BACKOFF,
        heartbeat_interval: timedelta = DEFAULT_HEARTBEAT,
        next_queue: datetime | timedelta | None = None,
        id: UUID | None = None,
    ) -> None:
        raw_args = encode_args(args)
        fill_spec(self, name, raw_args, queue, priority, max_retries, backoff, heartbeat_interval)
        fill_new(self, next_queue, id)

    @property
    def next_queue(self) -> datetime | timedelta | None:
        """When it becomes due: a moment (UTC), a time from the push, or `None` for at once."""
        if self._when == _AT_PUSH:
            return None
        if self._when == _AT_MOMENT:
            return to_datetime(self._moment)
        return timedelta(microseconds=self._moment)

    @property
    def id(self) -> UUID | None:
        """The id that was given, if any."""
        return None if self._id is None else UUID(bytes=self._id)

    def due_at(self, now: int) -> int:
        """When it becomes due if it is pushed `now`; both in microseconds since 1970."""
        if self._when == _AT_PUSH:
            return now
        if self._when == _AT_MOMENT:
            return self._moment
        return later(now, self._moment)

    def to_json(self) -> str:
        """The job as one JSON object; `from_json` reads it back without loss."""
        fields = spec_to_data(self)
        fields["id"] = None if self._id is None else str(self.id)
        fields["next_queue"] = to_datetime(self._moment).isoformat() if self._when == _AT_MOMENT else None
        fields["next_queue_after_us"] = self._moment if self._when == _AFTER_PUSH else None
        return encode_document(fields, self._args)

    @staticmethod
    def from_json(text: str | bytes) -> NewJobInfo:
        """The job that `to_json` wrote down; `InvalidJob` where the text is something else."""
        try:
            fields, raw_args = decode_document(text)
            new = NewJobInfo.__new__(NewJobInfo)
            fill_spec_from_data(new, fields, raw_args)
            next_queue: datetime | timedelta | None = None
            if fields["next_queue"] is not None:
                next_queue = datetime.fromisoformat(fields["next_queue"])
            elif fields["next_queue_after_us"] is not None:
                next_queue = timedelta(microseconds=fields["next_queue_after_us"])
            fill_new(new, next_queue, None if fields["id"] is None else UUID(fields["id"]))
        except InvalidJob:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise InvalidJob("JSON", f"is not a NewJobInfo: {error!r}") from error
        return new

    def _key(self) -> tuple[Any, ...]:
        return (*spec_key(self), self._when, self._moment, self._id)

    def __eq__(self, other: object, /) -> bool:
        return isinstance(other, NewJobInfo) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return represent(self, ("name", "args", *SPEC, "next_queue", "id"))

    def __reduce__(self) -> tuple[Any, ...]:
        return NewJobInfo.from_json, (self.to_json(),)


def fill_new(new: NewJobInfo, next_queue: object, id: object) -> None:
    """Check when a job becomes due, and its id, and give them to a bare one."""
    new._id = None if id is None else check_uuid("id", id).bytes
    if next_queue is None:
        new._when = _AT_PUSH
        new._moment = 0
    elif isinstance(next_queue, timedelta):
        new._when = _AFTER_PUSH
        new._moment = check_duration("next_queue", next_queue)
    elif isinstance(next_queue, datetime):
        new._when = _AT_MOMENT
        new._moment = check_moment("next_queue", next_queue)
    else:
        raise InvalidJobType("next_queue", "an aware datetime, a timedelta or None", next_queue)
