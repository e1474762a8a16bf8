cimport cython
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t

from jobcore._json cimport decode, encode
from jobcore.jobs._checks cimport check_duration, check_int, check_moment, check_queue, check_text, check_uuid

cdef int8_t _AT_PUSH, _AT_MOMENT, _AFTER_PUSH
cdef int32_t _NO_LIMIT
cdef int64_t _DEFAULT_HEARTBEAT, _SHORTEST_HEARTBEAT, _LONGEST_HEARTBEAT


cdef class JobSpec:
    cdef str _name
    cdef str _queue
    cdef bytes _args
    cdef str _backoff
    cdef int64_t _heartbeat
    cdef int32_t _max_retries
    cdef int16_t _priority
    cdef int8_t _when  # of a new job only, but here it lies in what would be padding: 8 bytes less a job


@cython.final
cdef class NewJobInfo(JobSpec):
    cdef bytes _id
    cdef int64_t _moment


cpdef bytes encode_args(object args)


@cython.locals(interval=int64_t)
cpdef int64_t check_heartbeat(object value) except? -1

cpdef int fill_spec(
    JobSpec spec,
    object name,
    bytes raw_args,
    object queue,
    object priority,
    object max_retries,
    object backoff,
    object heartbeat_interval,
) except -1

cpdef int copy_spec(JobSpec spec, JobSpec source) except -1
cpdef tuple spec_key(JobSpec spec)
cpdef dict spec_to_data(JobSpec spec)
cdef int fill_new(NewJobInfo new, object next_queue, object id) except -1
