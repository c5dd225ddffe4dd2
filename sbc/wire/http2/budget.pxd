import cython


cdef class Budget:
    cdef public object fault
    cdef public long long streams
    cdef public long long data_frames
    cdef public long long glitches
    cdef public double begun_since
    cdef public bint shared
    cdef long long _most_block
    cdef double _clock
    cdef Py_ssize_t _skip
    cdef bytes _head
    cdef long _last
    cdef long long _block
    cdef int _block_frames
    cdef int _resets
    cdef int _premature
    cdef int _provoked
    cdef long long _priorities
    cdef long long _updates
    cdef int _resets_now
    cdef int _pings
    cdef long long _data_before
    cdef int _settings
    cdef int _empty
    cdef int _unknown

    @cython.locals(end=Py_ssize_t, at=Py_ssize_t, step=Py_ssize_t, frames=int, head=bytes)
    cpdef Py_ssize_t charge(self, bytes data, double now)
    cpdef premature(self)
    cpdef provoked(self)
    cpdef glitch(self, int points)
    cdef _next_second(self, double now)
    @cython.locals(length=Py_ssize_t, kind=int, flags=int)
    cdef int _frame(self, bytes octets, Py_ssize_t at, double now) except -1
    @cython.locals(flags=int, stream=long)
    cdef _fields(self, bytes octets, Py_ssize_t at, Py_ssize_t length, double now)
    cdef _count_empty(self)
