# cython: language_level=3, freethreading_compatible=True, auto_pickle=False, autotestdict=False
# cython: embedsignature=True, embedsignature.format=python
"""What compiled modules have in place of `_ids.py` and `_text.py`: the same functions, with fewer Python objects."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr

from jobcore._core cimport Id, Uuid7Source, wall_nanoseconds

import os
import sys
from enum import EnumType
from uuid import UUID, SafeUUID

cdef extern from "_uuid.h" namespace "jobcore":
    int uuid_setup(object type, object safety) except -1
    bint check "jobcore::is_uuid"(object value) noexcept
    object build "jobcore::uuid_from_halves"(uint64_t high, uint64_t low)
    int split "jobcore::uuid_to_halves"(object uuid, uint64_t* high, uint64_t* low) except -1

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object text) noexcept
    const void* PyUnicode_DATA(object text) noexcept

cdef extern from *:
    """
    static void jobcore_look_up_as_type(PyObject* metaclass) {
        reinterpret_cast<PyTypeObject*>(metaclass)->tp_getattro = PyType_Type.tp_getattro;
    }
    """
    void jobcore_look_up_as_type(object metaclass) noexcept

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


cpdef bytes uuid_bytes(object uuid):
    """The 16 bytes of a UUID, the first ones in front."""
    cdef Id id = uuid_to_id(uuid)
    return bytes_from_halves(id.high, id.low)


cpdef bytes bytes_from_halves(uint64_t high, uint64_t low):
    """The 16 bytes of the UUID with these halves."""
    cdef unsigned char[16] raw
    cdef int place
    for place in range(8):
        raw[7 - place] = high & 0xFF
        raw[15 - place] = low & 0xFF
        high >>= 8
        low >>= 8
    return PyBytes_FromStringAndSize(<const char*>raw, 16)


cpdef uint64_t high_from_bytes(bytes raw) except? 0:
    """The first 64 bits of the UUID with these 16 bytes."""
    return checked(raw).high


cpdef uint64_t low_from_bytes(bytes raw) except? 0:
    """The last 64 bits of the UUID with these 16 bytes."""
    return checked(raw).low


cdef Id checked(bytes raw) except *:
    if raw is None or PyBytes_GET_SIZE(raw) != 16:
        raise ValueError("a UUID has 16 bytes")
    return id_from_bytes(raw)


cdef Id id_from_bytes(bytes raw) noexcept:
    # Of 16 bytes, the first ones in front.
    cdef Id id
    cdef int place
    id.high = id.low = 0
    for place in range(8):
        id.high = id.high << 8 | <unsigned char>PyBytes_AS_STRING(raw)[place]
        id.low = id.low << 8 | <unsigned char>PyBytes_AS_STRING(raw)[8 + place]
    return id


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


cpdef object uuid7():
    """A new UUID, greater than each one made before in this process."""
    cdef Id id = new_id(wall_nanoseconds() // 1000)
    return build(id.high, id.low)


cpdef bint is_plain(object value, Py_ssize_t limit):
    """Whether this is an exact `str` of 1 to `limit` ASCII characters, without NUL."""
    cdef Py_ssize_t size
    if type(value) is not str or not PyUnicode_IS_COMPACT_ASCII(value):
        return False
    size = PyUnicode_GET_LENGTH(value)
    return 0 < size <= limit and memchr(PyUnicode_DATA(value), 0, size) == NULL


cpdef bint may_hold_non_finite(bytes raw):
    """Whether msgspec may have met a NaN or an infinity here; true for all texts where it did."""
    # Each of `null`, `"nan"` and `inf"` has an n, which is all that most texts are searched for.
    cdef const char* start = PyBytes_AS_STRING(raw)
    cdef const char* end = start + PyBytes_GET_SIZE(raw)
    cdef const char* place = start
    while True:
        place = <const char*>memchr(place, c"n", end - place)
        if place == NULL:
            return False
        # Every bytes object ends in a NUL, and these stop at the first character that differs.
        if place[1] == c"u" and place[2] == c"l" and place[3] == c"l":
            return True
        if place > start and place[-1] == c'"' and place[1] == c"a" and place[2] == c"n" and place[3] == c'"':
            return True
        if place > start and place[-1] == c"i" and place[1] == c"f" and place[2] == c'"':
            return True
        place += 1


cpdef bytes exact(bytes raw):
    """The same bytes, in no more memory than they need (msgspec's results keep the room that they were written in)."""
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))


def quicken(enumeration not None):
    """Let this enumeration, which has a metaclass of its own, read its members as plain attributes.

    Python 3.11 asks `EnumType.__getattr__` for every member, 70 ns. As of 3.12 there is none, and nothing to do.
    """
    if sys.version_info >= (3, 12):
        return
    if not issubclass(type(enumeration), EnumType) or type(enumeration) is EnumType:
        raise TypeError("not an enumeration with a metaclass of its own")
    for member in enumeration:
        type.__setattr__(enumeration, member.name, member)
    jobcore_look_up_as_type(type(enumeration))
