from sbc.transports.outflow cimport Outflow
from sbc.wire.http2.budget cimport Budget


cdef class Http2Outflow(Outflow):
    cdef Budget _budget
    cdef object _transport
    cdef public long long written

    cpdef put(self, stream, bytes data)
    cpdef flush(self)
