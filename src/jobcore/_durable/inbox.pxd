from jobcore._durable.requests cimport Request


cdef class Inbox:
    cdef object _requests
    cdef object _wake
    cdef set _waking

    cpdef put(self, Request request)
    cpdef list take(self, Py_ssize_t limit)
