from cpython.object cimport PyObject

cdef class Call

# Does the work of a call. It returns the result, or leaves a coroutine in `call.rest` that will.
ctypedef object (*Verb)(Call call)


cdef class Call:
    cdef Verb verb
    cdef object owner
    cdef object first
    cdef object second
    cdef object third
    cdef object rest
    cdef const char* name
    cdef bint started


cdef Call new_call(const char* name, Verb verb, object owner, object first, object second, object third)
