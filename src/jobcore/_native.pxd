from libc.stdint cimport int64_t, uint64_t

from jobcore._core cimport Id

cpdef uint64_t uuid_high(object uuid) except? 0
cpdef uint64_t uuid_low(object uuid) except? 0
cpdef object uuid_from_halves(uint64_t high, uint64_t low)
cpdef bytes uuid_bytes(object uuid)
cpdef bytes bytes_from_halves(uint64_t high, uint64_t low)
cpdef uint64_t high_from_bytes(bytes raw) except? 0
cpdef uint64_t low_from_bytes(bytes raw) except? 0
cpdef object uuid7()

cpdef bint is_plain(object value, Py_ssize_t limit)
cpdef bint may_hold_non_finite(bytes raw)
cpdef bytes exact(bytes raw)

cdef bint is_uuid(object value) noexcept
cdef Id uuid_to_id(object uuid) except *
cdef Id id_from_bytes(bytes raw) noexcept
cdef Id new_id(int64_t microseconds) except *
