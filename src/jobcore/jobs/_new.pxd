cimport cython
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t

from jobcore._json cimport decode, encode
from jobcore.jobs._checks cimport (
    check_duration, check_int, check_moment, check_queue, check_text, check_uuid,
)

cdef int8_t _AT_PUSH, _AT_MOMENT, _AFTER_PUSH
cdef int32_t _NO_LIMIT
cdef int64_t _DEFAULT_HEARTBEAT_MICROSECONDS, _SHORTEST_HEARTBEAT, _LONGEST_HEARTBEAT

cpdef bytes encode_args(object args)

@cython.locals(interval=int64_t)
cpdef int64_t check_heartbeat(object value) except? -1


# No member can be part of a reference cycle, so the garbage collector need not know of a million of these.
@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class NewJobInfo:
    cdef str _name
    cdef str _queue
    cdef bytes _args
    cdef object _backoff
    cdef object _id
    cdef int64_t _moment
    cdef int64_t _heartbeat
    cdef int32_t _max_retries
    cdef int16_t _priority
    cdef int8_t _when

    cpdef int64_t due_at(self, int64_t now)
    cpdef tuple policy_key(self)
    cpdef tuple _key(self)


cpdef NewJobInfo new_from_raw_args(bytes raw_args, NewJobInfo new)
