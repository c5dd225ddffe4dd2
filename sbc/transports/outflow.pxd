from sbc.wire.http2.sending cimport Sending


cdef class Outflow:
    cdef object _spring
    cdef Sending _engine
    cdef object _loop
    cdef dict _streams
    cdef frozenset _slow
    cdef frozenset _waiting
    cdef frozenset _held_back
    cdef bint _choked
    cdef public bint scheduled
    cdef public bint ending
    cdef public bint shut

    cpdef put(self, stream, bytes data)
    cpdef add(self, stream, bytes data)
    cpdef touch(self)
    cpdef flush(self)
    cdef _hold_back(self)
