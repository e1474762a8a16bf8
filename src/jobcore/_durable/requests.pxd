cimport cython


cdef class Request:
    cdef public str verb
    cdef public tuple args
    cdef public object loop
    cdef public object future
    cdef public object value
    cdef public object error


cdef class Pop(Request):
    cdef public str queue
    cdef public bytes runner
    cdef public Py_ssize_t limit
    cdef public object taken


cdef class Answers:
    cdef dict _by_loop

    @cython.locals(answered=list)
    cpdef add(self, Request request, object value=*, object error=*)


@cython.locals(undo=Request)
cpdef Request undoing(Pop pop, object future)


@cython.locals(request=Request)
cpdef settle(list answered)


@cython.locals(pop=Pop, dealt=list, at=Py_ssize_t)
cpdef list share(list jobs, object waiting)
