import cython

from sbc.model.http cimport Request
from sbc.protocols.protocol cimport Reading
from sbc.runtime.http.upload cimport Upload


cdef class Asking:
    cdef public object client, home, identity, key, node, policy, stage
    cdef public Reading reading
    cdef public Request request
    cdef public Upload upload
    cdef public long long attempts, number, seat
    cdef public bint heedless, in_turn, keep, waiting
    cdef object _then
    cdef long long _longest

    cdef _ask_for(self, object client, Request request)
    cpdef body(self, bytes data)
    cpdef body_ended(self, list trailers)
    cpdef send(self, object reach, object node, Request request)
    cpdef leave_node(self)
    cpdef refuse(self, object refusal)
    cdef _ask(self, object reach, object node, Request request, bytes body)
    cdef _open(self, object reach, object node, Request request)
