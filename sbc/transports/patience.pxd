cdef class Patience:
    cdef double _armed, _deadline, _stalled, _began, _piece, _head_timeout
    cdef object _buffered, _late, _loop, _rested, _timer
    cdef bint _congested
    cdef long long _mark, _octets, _sent
    cdef public object phase
    cpdef head(self)
    cpdef idle(self)
    cpdef off(self)
    cpdef sent(self, long long octets)
    cdef _set(self, double deadline)
    cdef _arm(self, double deadline)
