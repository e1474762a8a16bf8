cimport cython

from jobcore._native cimport exact, may_hold_non_finite


@cython.locals(raw=bytes)
cpdef bytes encode(object value)
cpdef object decode(object raw)
