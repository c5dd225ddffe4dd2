from sbc.core.keys cimport minted
from sbc.model.http cimport Request, Response
from sbc.runtime.http.exchange cimport Exchange
from sbc.runtime.session cimport Session


cdef class KnownSession(Session):
    cdef public object conversation, docket, handle, key, protocol
    cdef public bint dispensable
    cdef object _registry
    cdef bytes _token
    cdef bint _durable, _greeted
    cdef object _veil

    cpdef token(self)
    cpdef bytes introduce(self, Exchange exchange)
    cpdef seal_minted(self, Exchange exchange, Response response)
    cpdef remember(self)
    cpdef Request known_to_node(self, Exchange exchange)
    cpdef Request covered(self, Request request)
    cpdef answer_begins(self, Exchange exchange)
    cpdef answer_ends(self, Exchange exchange)
