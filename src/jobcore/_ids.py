"""UUIDs: as two halves of 64 bits, and new ones of version 7.

Those of version 7 come in the order in which they were made, within a process. A clock reading in milliseconds stands
in front, 74 bits follow: random at the first id of a millisecond (its top bit clear, so that there is room), a random
step further at each next one. A clock that goes back changes nothing: the source stays at the latest millisecond it
has seen. (RFC 9562, 6.2, methods 1 and 2.)

The compiled modules have these functions from `_native.pyx` in their place, which makes ids in C++ by the same rule;
and so has everybody `uuid7`, of which a durable storage needs one for each job.
"""

from __future__ import annotations

import os
import threading
from secrets import randbits
from time import time_ns
from typing import TYPE_CHECKING
from uuid import UUID

from jobcore._implementation import IMPLEMENTATION

_TAIL_BITS = 74
_STEP_BITS = 32


def uuid_high(uuid: UUID) -> int:
    """The first 64 bits of a UUID."""
    return uuid.int >> 64


def uuid_low(uuid: UUID) -> int:
    """The last 64 bits of a UUID."""
    return uuid.int & (2**64 - 1)


def uuid_from_halves(high: int, low: int) -> UUID:
    """The UUID with these 64 bits in front and those behind."""
    return UUID(int=high << 64 | low)


def uuid_bytes(uuid: UUID) -> bytes:
    """The 16 bytes of a UUID, the first ones in front."""
    return uuid.bytes


def bytes_from_halves(high: int, low: int) -> bytes:
    """The 16 bytes of the UUID with these halves."""
    return (high << 64 | low).to_bytes(16, "big")


def high_from_bytes(raw: bytes) -> int:
    """The first 64 bits of the UUID with these 16 bytes."""
    return int.from_bytes(raw[:8], "big")


def low_from_bytes(raw: bytes) -> int:
    """The last 64 bits of the UUID with these 16 bytes."""
    return int.from_bytes(raw[8:], "big")


def _compose(milliseconds: int, tail: int) -> UUID:
    high = (milliseconds & (2**48 - 1)) << 16 | 0x7000 | tail >> 62
    return uuid_from_halves(high, 1 << 63 | tail & (2**62 - 1))


class _Source:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = -1
        self._tail = 0

    def next(self) -> UUID:
        with self._lock:
            now = time_ns() // 1_000_000
            self._tail += 1 + randbits(_STEP_BITS)
            if now > self._milliseconds or self._tail >> _TAIL_BITS:
                self._milliseconds = max(now, self._milliseconds + 1)
                self._tail = randbits(_TAIL_BITS - 1)
            return _compose(self._milliseconds, self._tail)


_source = _Source()


def _renew() -> None:
    # A forked child must not go on with the parent's tail, nor with a lock that another thread held.
    global _source  # noqa: PLW0603
    _source = _Source()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def uuid7() -> UUID:
    """A new UUID, greater than each one made before in this process."""
    return _source.next()


def uuid7_at(milliseconds: int) -> UUID:
    """A UUID with this time (milliseconds since 1970, not before) in front and a random tail."""
    return _compose(max(milliseconds, 0), randbits(_TAIL_BITS))


if not TYPE_CHECKING and IMPLEMENTATION == "cpp":
    from jobcore import _native

    uuid7 = _native.uuid7
