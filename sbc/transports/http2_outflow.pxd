from sbc.wire.http2.budget cimport Budget


cdef class Outflow:
    cdef object _spring
    cdef object _engine
    cdef Budget _budget
    cdef object _loop
    cdef dict _streams
    cdef object _transport
    cdef set _slow
    cdef set _waiting
    cdef set _held_back
    cdef bint _choked
    cdef public bint scheduled
    cdef public bint ending
    cdef public bint shut
    cdef public long long written

    cpdef put(self, stream, bytes data)
    cpdef touch(self)
    cpdef flush(self)
    cdef _hold_back(self)
