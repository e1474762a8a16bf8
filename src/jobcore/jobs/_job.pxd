cimport cython
from libc.stdint cimport int64_t, uint32_t

from jobcore.jobs._checks cimport check_duration, check_error, check_int, check_moment, check_result, check_uuid
from jobcore.jobs._new cimport NewJobInfo
from jobcore.jobs._returned cimport ReturnJobInfo, make_return


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class JobInfo:
    cdef NewJobInfo _new
    cdef object _id
    cdef str _last_error
    cdef int64_t _due
    cdef uint32_t _retry_count
    cdef uint32_t _delivery_count
    cdef uint32_t _lost_count

    cpdef tuple _key(self)


@cython.locals(job=JobInfo)
cpdef JobInfo make_job(
    NewJobInfo new, object id, int64_t due, uint32_t retry_count, uint32_t delivery_count, uint32_t lost_count, str error
)

@cython.locals(before=JobInfo)
cpdef JobInfo stored(object handle, object id, int64_t due, uint32_t delivery_count, uint32_t lost_count)

cpdef JobInfo retried(JobInfo job, int64_t now, object delay, str error)
