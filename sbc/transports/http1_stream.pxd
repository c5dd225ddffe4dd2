from sbc.model.http cimport Request, Response
from sbc.model.streams cimport ClientStream
from sbc.wire.http1 cimport chunk, framing_of, last_chunk, response_head


cdef class Carrier:
    cpdef mark(self, object mark)
    cpdef put(self, bytes data)
    cpdef bytes connection_line(self, bint last)
    cpdef answered(self, bytes last)


cdef class Http1Stream(ClientStream):
    cdef Carrier _carrier
    cdef object _framing
    cdef long long _left
    cdef bint _old, _to_head
    cdef public object asker
    cdef public object stage
    cpdef send(self, bytes data)
    cdef _complete(self, bytes last)
