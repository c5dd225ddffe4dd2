from sbc.model.streams cimport ClientStream
from sbc.transports.outflow cimport Outflow


cdef object _ANSWERING

cdef class RequestStream(ClientStream):
    # Every event comes by these.
    cdef public object stage
    cdef long long _left
    cdef public long long sent
    cdef Outflow _outflow
    cdef object _stream
    cdef bint _to_head, _expects, _received, _paused
    cdef object _carrier
    cdef long long _came
    cdef object _fields
    cdef list _held
    cdef object _ended
    cdef public object asker

    cpdef send(self, bytes data)
    cdef _complete(self)
    cdef _end_body(self, trailers)
    cdef _drop(self)
