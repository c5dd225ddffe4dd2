from sbc.model.http cimport Request, Response
from sbc.wire.http1 cimport chunk, framing_of, last_chunk, response_head


cdef class Http1Stream:
    cdef object _carrier, _framing
    cdef long long _left
    cdef bint _old, _to_head
    cdef public object asker
    cdef public bint congested
    cdef public object stage
    cpdef send(self, bytes data)
    cdef _complete(self, bytes last)
