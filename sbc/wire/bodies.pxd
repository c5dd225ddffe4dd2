import cython


cdef class Measured:
    cdef long long _left

    @cython.locals(end=Py_ssize_t)
    cpdef tuple read(self, bytes data, Py_ssize_t at)


cdef class Chunks:
    cdef public object step
    cdef public list trailers
    cdef long long _left
    cdef bytes _line
    cdef long long _overhead

    @cython.locals(parts=list, part=bytes, after=Py_ssize_t)
    cpdef tuple read(self, bytes data, Py_ssize_t at)
