from libc.stdint cimport int64_t
from libcpp cimport bool as cpp_bool
from libcpp.memory cimport unique_ptr
from libcpp.string_view cimport string_view

from jobcore._core cimport CoreIndex, Fence, Id, Popped


cdef class JobIndex:
    cdef unique_ptr[CoreIndex] core

    # The job as it is; its handle is referenced for the caller.
    cdef cpp_bool look(self, const Id& id, Popped& found) noexcept


# Conversions at the border; each raises `InvalidJob` for what is not of the kind.
cdef string_view queue_view(str queue) except *
cdef Id read_id(str field, object value) except *
cdef int64_t read_delivery(object delivery) except? -1
cdef int read_fence(object runner_id, int64_t delivery, Fence* fence) except -1
