cimport cython
from libc.stdint cimport int64_t, uint64_t

from jobcore._native cimport bytes_from_halves, uuid_from_halves, uuid_high, uuid_low
from jobcore.jobs._checks cimport check_duration, check_error, check_int, check_result, check_uuid

cdef int64_t _ANY_DELIVERY, _NO_DELAY


@cython.final
@cython.freelist(64)
cdef class ReturnJobInfo:
    cdef str _error
    cdef uint64_t _high
    cdef uint64_t _low
    cdef uint64_t _runner_high
    cdef uint64_t _runner_low
    cdef int64_t _delivery
    cdef int64_t _delay
    cdef int _result
    cdef bint _has_runner


@cython.locals(returned=ReturnJobInfo)
cpdef ReturnJobInfo make_return(
    uint64_t high, uint64_t low, int result, object runner_id, int64_t delivery, object delay, str error
)

cdef int fill(
    ReturnJobInfo returned,
    uint64_t high,
    uint64_t low,
    int result,
    object runner_id,
    int64_t delivery,
    object delay,
    str error,
) except -1

cpdef tuple key_of(ReturnJobInfo returned)
