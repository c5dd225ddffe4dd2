import cython

from sbc.core.relay cimport Relay
from sbc.core.relocation cimport relocated
from sbc.model.http cimport Request, Response
from sbc.protocols.protocol cimport Reading
from sbc.runtime.http.exchange cimport Exchange
from sbc.runtime.http.flow cimport count, event_entry, keep_event
from sbc.runtime.http.journal cimport request_entry
from sbc.runtime.http.legs cimport Places
from sbc.runtime.http.outgoing cimport Place, outgoing
from sbc.runtime.http.upload cimport Upload
from sbc.runtime.http.attended cimport AttendedSession


cdef class HttpSession(AttendedSession):
    cdef public dict streams
    cdef Relay _inbound
    cdef bint _ending

    @cython.locals(reading=Reading, place=Place, standing=bint)
    cpdef take(self, Exchange exchange)
    cpdef take_up(self, Exchange exchange, bint standing)
    @cython.locals(reading=Reading, legs=Places, keeps=bint, before=cython.longlong, request=Request)
    cpdef send(self, Exchange exchange, Place place)
    @cython.locals(place=Place, legs=Places)
    cpdef greet(self, Exchange exchange, Response response)
    cpdef greeting(self, Exchange exchange)
    cpdef over(self, Exchange exchange)
    cpdef bytes deliver(self, Exchange exchange, bytes message)
    @cython.locals(entry=bytes, keeps=bint, upload=Upload)
    cdef long long _count_request(self, Exchange exchange) except -1
    cdef _count(self, Exchange exchange, bint in_turn)
