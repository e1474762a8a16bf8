cimport cython

from jobcore._native cimport exact, may_hold_null

@cython.locals(raw=bytes)
cpdef bytes encode(object value)
cpdef object decode(object raw)
