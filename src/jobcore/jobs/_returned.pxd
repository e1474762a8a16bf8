cimport cython
from libc.stdint cimport int64_t

from jobcore.jobs._checks cimport check_duration, check_error, check_int, check_result, check_uuid


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class ReturnJobInfo:
    cdef object _id
    cdef object _result
    cdef object _runner_id
    cdef object _delay
    cdef str _error
    cdef int64_t _delivery

    cpdef tuple _key(self)


@cython.locals(returned=ReturnJobInfo)
cpdef ReturnJobInfo make_return(object id, object result, object runner_id, int64_t delivery, object delay, str error)
