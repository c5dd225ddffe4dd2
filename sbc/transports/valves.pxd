from sbc.transports.patience cimport Patience
cdef class Inlet:
    cdef object _transport
    cdef public int holds
cdef class Outlet:
    cdef object _loop, _transport
    cdef Patience _patience
    cdef list _pending
    cpdef put(self, bytes data)
    cpdef flush(self)
    cpdef end(self, bytes last)
    cpdef bint drain(self)
