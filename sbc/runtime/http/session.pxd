from sbc.core.keys cimport minted
from sbc.runtime.http.exchange cimport Exchange
from sbc.runtime.http.flow cimport count, event_entry, keep_event
from sbc.runtime.http.journal cimport request_entry
from sbc.runtime.http.outgoing cimport Place, outgoing
from sbc.runtime.session cimport Session


cdef class HttpSession(Session):
    cdef public object conversation, handle, key, protocol
    cdef public dict exchanges, streams
    cdef public bint dispensable
    cdef object _registry
    cdef bytes _token
    cdef bint _ending, _greeted

    cpdef take(self, Exchange exchange)
    cpdef token(self)
    cpdef greet(self, Exchange exchange, object response)
    cpdef over(self, Exchange exchange)
    cpdef bytes deliver(self, Exchange exchange, bytes message)
    cdef long long _count_request(self, Exchange exchange) except -1
    cdef _known(self, Exchange exchange)
    cdef _count(self, Exchange exchange, bint in_turn)
