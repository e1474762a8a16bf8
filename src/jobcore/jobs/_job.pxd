cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t, uint64_t

from jobcore._native cimport high_from_bytes, low_from_bytes, uuid_from_halves, uuid_high, uuid_low
from jobcore.jobs._checks cimport check_duration, check_error, check_int, check_moment, check_result, check_uuid
from jobcore.jobs._new cimport JobSpec, NewJobInfo, copy_spec, encode_args, fill_spec, spec_key, spec_to_data
from jobcore.jobs._returned cimport ReturnJobInfo, make_return


@cython.final
cdef class JobInfo(JobSpec):
    cdef str _last_error
    cdef uint64_t _high
    cdef uint64_t _low
    cdef int64_t _due
    cdef uint32_t _retry_count
    cdef uint32_t _delivery_count
    cdef uint32_t _lost_count


cdef int fill_job(
    JobInfo job,
    object id,
    object next_queue,
    object retry_count,
    object delivery_count,
    object lost_count,
    object last_error,
) except -1


@cython.locals(job=JobInfo, before=JobInfo)
cpdef JobInfo stored(
    JobSpec handle, uint64_t high, uint64_t low, int64_t due, uint32_t delivery_count, uint32_t lost_count
)


@cython.locals(again=JobInfo)
cpdef JobInfo retried(JobInfo job, int64_t now, object delay, str error)


@cython.locals(job=JobInfo)
cpdef JobInfo loaded(
    bytes id,
    str name,
    bytes raw_args,
    str queue,
    int16_t priority,
    int32_t max_retries,
    str backoff,
    int64_t heartbeat,
    int64_t due,
    uint32_t retry_count,
    uint32_t delivery_count,
    uint32_t lost_count,
    str last_error,
)
