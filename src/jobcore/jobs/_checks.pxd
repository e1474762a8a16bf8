cimport cython
from libc.stdint cimport int64_t

from jobcore._native cimport is_plain

cpdef str check_text(str field, object value, Py_ssize_t limit)
cpdef str check_queue(object value)
cpdef object check_uuid(str field, object value)
cpdef int64_t check_moment(str field, object value) except? -1
cpdef int64_t check_duration(str field, object value) except? -1
cpdef str check_error(object value)
cpdef int check_result(object value) except -1


@cython.locals(number=int64_t)
cpdef int64_t check_int(str field, object value, int64_t low, int64_t high) except? -1
