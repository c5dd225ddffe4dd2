import cython

from sbc.core.forwarding cimport check_fields
from sbc.core.keys cimport route_key, session_token
from sbc.model.http cimport Request
from sbc.protocols.protocol cimport Reading
from sbc.runtime.http.asked cimport Asked
from sbc.runtime.http.exchange cimport Exchange
from sbc.runtime.http.session cimport HttpSession
from sbc.runtime.http.ways cimport Way, Ways


cdef class RequestFront:
    cdef object _founder, _host
    cdef Ways _ways
    cdef public object onward, registry
    cdef public set singles

    cpdef request(self, object stream, Request request, Py_ssize_t octets)
    @cython.locals(request=Request, ways=Ways, way=Way, asked=Asked)
    cdef _find_route(self, Exchange exchange, Py_ssize_t octets)
    @cython.locals(request=Request, exchange=Exchange, way=Way, reading=Reading, keys=list, session=HttpSession)
    cdef _place(self, Asked asked, object body)
    cdef _take(self, Asked asked, HttpSession session)
    cdef _opened(self, Asked asked, str value)
    cdef _meant(self, Asked asked, list keys)
