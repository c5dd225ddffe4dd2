import cython

from sbc.model.http cimport Request
from sbc.model.streams cimport Answerer, ClientStream
from sbc.protocols.protocol cimport Reading
from sbc.runtime.http.upload cimport Upload


cdef class Asking(Answerer):
    cdef public object home, identity, key, policy
    cdef public Request request
    cdef public Upload upload
    cdef object _then
    cdef long long _longest
    cdef public long long number, seat
    cdef public bint heedless, in_turn, keep, waiting
    # What every event touches stands together, here and at the front of an Exchange.
    cdef public object node, stage
    cdef public Reading reading
    cdef public long long attempts
    cdef public ClientStream client

    cdef _ask_for(self, ClientStream client, Request request)
    cpdef body(self, bytes data)
    cpdef body_ended(self, list trailers)
    cpdef send(self, object reach, object node, Request request)
    cpdef leave_node(self)
    cpdef refuse(self, object refusal)
    cdef _ask(self, object reach, object node, Request request, bytes body)
    cdef _open(self, object reach, object node, Request request)
