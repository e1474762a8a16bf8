cimport cython
from libc.stdint cimport int64_t, uint64_t

from jobcore._native cimport uuid_from_halves, uuid_high, uuid_low
from jobcore.jobs._checks cimport check_duration, check_error, check_int, check_result, check_uuid


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class ReturnJobInfo:
    cdef object _result
    cdef object _delay
    cdef str _error
    cdef uint64_t _high
    cdef uint64_t _low
    cdef uint64_t _runner_high
    cdef uint64_t _runner_low
    cdef int64_t _delivery
    cdef bint _has_runner

    cpdef tuple _key(self)


@cython.locals(returned=ReturnJobInfo)
cpdef ReturnJobInfo make_return(
    uint64_t high, uint64_t low, object result, object runner_id, int64_t delivery, object delay, str error
)

cdef int fill(
    ReturnJobInfo returned,
    uint64_t high,
    uint64_t low,
    object result,
    object runner_id,
    int64_t delivery,
    object delay,
    str error,
) except -1
