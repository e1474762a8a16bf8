cimport cython

@cython.locals(raw=bytes)
cpdef bytes encode(object value)
cpdef object decode(object raw)
