# cython: language_level=3, freethreading_compatible=True, auto_pickle=False, autotestdict=False
# cython: embedsignature=True, embedsignature.format=python
"""What compiled modules have in place of `_ids.py`: UUIDs to and from halves, and new ones, in C."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from jobcore._core cimport Id, Uuid7Source

import os
from uuid import UUID, SafeUUID

cdef extern from "_uuid.h" namespace "jobcore":
    int uuid_setup(object type, object safety) except -1
    bint check "jobcore::is_uuid"(object value) noexcept
    object build "jobcore::uuid_from_halves"(uint64_t high, uint64_t low)
    int split "jobcore::uuid_to_halves"(object uuid, uint64_t* high, uint64_t* low) except -1

uuid_setup(UUID, SafeUUID.unknown)


cdef bint is_uuid(object value) noexcept:
    return check(value)


cdef Id uuid_to_id(object uuid) except *:
    # Of what `is_uuid`.
    cdef Id id
    split(uuid, &id.high, &id.low)
    return id


cpdef uint64_t uuid_high(object uuid) except? 0:
    """The first 64 bits of a UUID."""
    return uuid_to_id(uuid).high


cpdef uint64_t uuid_low(object uuid) except? 0:
    """The last 64 bits of a UUID."""
    return uuid_to_id(uuid).low


cpdef object uuid_from_halves(uint64_t high, uint64_t low):
    """The UUID with these 64 bits in front and those behind."""
    return build(high, low)


@cython.final
cdef class IdSource:
    cdef Uuid7Source source

    def renew(self):
        # A forked child must not go on with its parent's tail.
        self.source.renew()


cdef IdSource ids = IdSource()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ids.renew)


cdef Id new_id(int64_t microseconds) except *:
    cdef Id id
    with cython.critical_section(ids):
        id = ids.source.next(<uint64_t>max(microseconds, 0) // 1000)
    return id
