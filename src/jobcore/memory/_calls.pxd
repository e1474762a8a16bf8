from libc.stdint cimport int64_t

from jobcore._core cimport Popped
from jobcore.memory._index cimport JobIndex


cdef class MemoryCalls:
    cdef JobIndex index
    cdef object clock
    cdef dict waitlists
    cdef public int64_t breathe_at  # microseconds of the monotonic clock; see _breath.py
    cdef bint closed
    cdef str refusal

    cdef int64_t wall(self) except? -1
    cdef int64_t monotonic(self) except? -1
    cpdef int check_open(self) except -1
    cdef int changed(self, str queue) except -1
    cdef int undo(self, const Popped& popped) except -1
    cdef object lease(self, str queue, object runner_id, int64_t monotonic)
    cpdef object push_nowait(self, object job)
    cpdef object pop_nowait(self, object queue, object runner_id)
    cpdef object heartbeat_nowait(self, object job_id, object runner_id, object delivery=*)
    cpdef bint complete_nowait(self, object returned) except -1
    cpdef object info_nowait(self, object job_id)
