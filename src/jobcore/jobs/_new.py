# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False
"""`NewJobInfo`: a job on its way into a storage.

It stays in memory as it is, one reference from the index, for as long as the job is there, so its fields are few and
small. The arguments are encoded here, once: what was accepted can be stored by every storage.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from jobcore._json import decode, decode_document, encode, encode_document
from jobcore._time import MICROSECOND, later, to_datetime
from jobcore.errors import InvalidJob, InvalidJobType
from jobcore.jobs._backoff import Backoff, Exponential, Linear, backoff_from_data, backoff_to_data
from jobcore.jobs._checks import (
    MAX_COUNT,
    check_duration,
    check_int,
    check_moment,
    check_queue,
    check_text,
    check_uuid,
    represent,
)

MAX_NAME_BYTES = 64 * 1024
MAX_ARGS_BYTES = 256 * 1024 * 1024

# When a new job becomes due: at the storage's time of the push, at a moment, or so long after the push.
_AT_PUSH = 0
_AT_MOMENT = 1
_AFTER_PUSH = 2

_NO_LIMIT = -1

_DEFAULT_BACKOFF = Exponential(2)
_DEFAULT_HEARTBEAT = timedelta(seconds=5)
_SHORTEST_HEARTBEAT = timedelta(milliseconds=1) // MICROSECOND
_LONGEST_HEARTBEAT = timedelta(days=1) // MICROSECOND
_DEFAULT_HEARTBEAT_MICROSECONDS = _DEFAULT_HEARTBEAT // MICROSECOND

POLICY = ("queue", "priority", "max_retries", "backoff", "heartbeat_interval")


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
    if value is _DEFAULT_HEARTBEAT:
        return _DEFAULT_HEARTBEAT_MICROSECONDS
    interval = check_duration("heartbeat_interval", value)
    if not _SHORTEST_HEARTBEAT <= interval <= _LONGEST_HEARTBEAT:
        raise InvalidJob("heartbeat_interval", "must be from 1 millisecond to 1 day")
    return interval


class NewJobInfo:
    """A job to push: a name, JSON arguments, a queue and a retry policy. Immutable.

    `name` has 1 to 64 KiB of UTF-8, `queue` 1 to 255 bytes. `args` is anything that JSON can say. `priority` has 16
    bits signed; higher goes first among the jobs that are due. `max_retries` is `None` for no limit; n retries are
    n + 1 executions. A runner has `5 * heartbeat_interval` (1 ms to 1 day) between two heartbeats. `next_queue` tells
    when the job becomes due: an aware datetime, a timedelta from the push, or `None` for at once. An `id` of your own
    makes the push idempotent; otherwise one is made at the push.

    Raises `InvalidJob` for a value that no storage takes; it is a `TypeError` too where the type is wrong.
    """

    __slots__ = (
        "_args",
        "_backoff",
        "_heartbeat",
        "_id",
        "_max_retries",
        "_moment",
        "_name",
        "_priority",
        "_queue",
        "_when",
    )

    def __init__(
        self,
        name: str,
        args: Any = None,
        *,
        queue: str = "default",
        priority: int = 0,
        max_retries: int | None = 5,
        backoff: Backoff = _DEFAULT_BACKOFF,
        heartbeat_interval: timedelta = _DEFAULT_HEARTBEAT,
        next_queue: datetime | timedelta | None = None,
        id: UUID | None = None,
    ) -> None:
        self._name = check_text("name", name, MAX_NAME_BYTES)
        self._queue = check_queue(queue)
        self._priority = check_int("priority", priority, -32768, 32767)
        self._max_retries = _NO_LIMIT if max_retries is None else check_int("max_retries", max_retries, 0, MAX_COUNT)
        if backoff is not _DEFAULT_BACKOFF and not isinstance(backoff, (Linear, Exponential)):
            raise InvalidJobType("backoff", "Linear or Exponential", backoff)
        self._backoff = backoff
        self._heartbeat = check_heartbeat(heartbeat_interval)
        if next_queue is None:
            self._when = _AT_PUSH
            self._moment = 0
        elif isinstance(next_queue, timedelta):
            self._when = _AFTER_PUSH
            self._moment = check_duration("next_queue", next_queue)
        elif isinstance(next_queue, datetime):
            self._when = _AT_MOMENT
            self._moment = check_moment("next_queue", next_queue)
        else:
            raise InvalidJobType("next_queue", "an aware datetime, a timedelta or None", next_queue)
        self._id = None if id is None else check_uuid("id", id)
        self._args = encode_args(args)

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
        return self._backoff

    @property
    def heartbeat_interval(self) -> timedelta:
        """A lease lasts five of these."""
        return timedelta(microseconds=self._heartbeat)

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
        return self._id

    def due_at(self, now: int) -> int:
        """When it becomes due if it is pushed `now`; both in microseconds since 1970."""
        if self._when == _AT_PUSH:
            return now
        if self._when == _AT_MOMENT:
            return self._moment
        return later(now, self._moment)

    def to_json(self) -> str:
        """This job as one JSON object; `from_json` reads it back without loss."""
        fields = policy_to_data(self)
        fields["id"] = None if self._id is None else str(self._id)
        fields["next_queue"] = to_datetime(self._moment).isoformat() if self._when == _AT_MOMENT else None
        fields["next_queue_after_us"] = self._moment if self._when == _AFTER_PUSH else None
        return encode_document(fields, self._args)

    @staticmethod
    def from_json(text: str | bytes) -> NewJobInfo:
        """The job that `to_json` wrote down; `InvalidJob` where the text is something else."""
        try:
            fields, raw_args = decode_document(text)
            next_queue = fields["next_queue"]
            after = fields["next_queue_after_us"]
            if next_queue is not None:
                next_queue = datetime.fromisoformat(next_queue)
            elif after is not None:
                next_queue = timedelta(microseconds=after)
            given = fields["id"]
            return new_from_data(fields, raw_args, next_queue, None if given is None else UUID(given))
        except InvalidJob:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidJob("JSON", f"is not a NewJobInfo: {error!r}") from error

    def policy_key(self) -> tuple[Any, ...]:
        """Everything but the id and the due time, to compare by."""
        policy = (self._queue, self._priority, self._max_retries, self._backoff, self._heartbeat)
        return (self._name, self._args, *policy)

    def _key(self) -> tuple[Any, ...]:
        return (*self.policy_key(), self._when, self._moment, self._id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NewJobInfo) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return represent(self, ("name", "args", *POLICY, "next_queue", "id"))

    def __reduce__(self) -> tuple[Any, ...]:
        return NewJobInfo.from_json, (self.to_json(),)


def new_from_raw_args(raw_args: bytes, new: NewJobInfo) -> NewJobInfo:
    """`new` (which nobody else holds yet) with arguments that are JSON text already."""
    new._args = raw_args
    return new


def policy_to_data(new: NewJobInfo) -> dict[str, Any]:
    """Name and policy as plain JSON data."""
    return {
        "name": new.name,
        "queue": new.queue,
        "priority": new.priority,
        "max_retries": new.max_retries,
        "backoff": backoff_to_data(new.backoff),
        "heartbeat_interval_us": new.heartbeat_interval // MICROSECOND,
    }


def new_from_data(
    data: dict[str, Any], raw_args: bytes, next_queue: datetime | timedelta | None = None, id: UUID | None = None
) -> NewJobInfo:
    """The job whose name and policy `policy_to_data` wrote down."""
    new = NewJobInfo(
        data["name"],
        queue=data["queue"],
        priority=data["priority"],
        max_retries=data["max_retries"],
        backoff=backoff_from_data(data["backoff"]),
        heartbeat_interval=timedelta(microseconds=data["heartbeat_interval_us"]),
        next_queue=next_queue,
        id=id,
    )
    return new_from_raw_args(raw_args, new)
