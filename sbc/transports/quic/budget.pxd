cdef class Http3Budget:
    cdef public str fault
    cdef public long long streams
    cdef public long long glitches
    cdef double _clock, _credit
    cdef int _premature, _provoked, _resets, _resets_now

    cpdef idle(self, double now, double took)
    cpdef sent(self, Py_ssize_t octets)
    cpdef reset(self, double now)
    cpdef premature(self)
    cpdef provoked(self)
    cpdef glitch(self, int points)
    cdef _next_second(self, double now)
