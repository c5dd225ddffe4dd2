from sbc.transports.outflow cimport Outflow


cdef object _ANSWERING

cdef class RequestStream:
    cdef object _carrier
    cdef Outflow _outflow
    cdef object _stream
    cdef bint _to_head
    cdef bint _expects
    cdef bint _received
    cdef bint _paused
    cdef long long _came, _left
    cdef object _fields
    cdef list _held
    cdef object _ended
    cdef public object asker
    cdef public object stage
    cdef public bint congested
    cdef public long long sent

    cpdef send(self, bytes data)
    cdef _complete(self)
    cdef _end_body(self, trailers)
    cdef _drop(self)
