from libc.stdint cimport int64_t

from jobcore._core cimport Popped
from jobcore.memory._index cimport JobIndex


cdef class MemoryCalls:
    cdef JobIndex index
    cdef object clock
    cdef dict waitlists
    cdef public int64_t breathe_at  # microseconds of the monotonic clock; see _breath.py
    cdef int64_t latest_wall  # what `wall` said last; never shown to anybody, so a torn moment does no harm
    cdef bint closed
    cdef str refusal

    cdef int64_t wall(self) except? -1
    cdef int64_t monotonic(self) except? -1
    cdef int refuse_if_closed(self) except -1
    cdef int changed(self, str queue) except -1
    cdef object push_one(self, object job)
    cdef object pop_one(self, object queue, object runner_id, int64_t monotonic)
    cdef object renew_one(self, object job_id, object runner_id, object delivery)
    cdef bint complete_one(self, object returned) except -1
    cdef object find_one(self, object job_id)
    cdef int undo(self, const Popped& popped) except -1
