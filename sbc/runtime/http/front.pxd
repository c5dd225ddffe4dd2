import cython

from sbc.core.forwarding cimport check_fields
from sbc.core.keys cimport route_key, session_token
from sbc.runtime.http.exchange cimport Exchange


cdef class Asked:
    cdef public Exchange exchange
    cdef public object manifest, principal, protocol, route
    cdef public list keys


cdef class RequestFront:
    cdef object _host
    cdef public object registry
    cdef public set singles

    @cython.locals(target=bytes, mark=Py_ssize_t)
    cdef _find_route(self, Exchange exchange, Py_ssize_t octets)
    cdef _place(self, Asked asked, object body)
    cdef _opened(self, Asked asked, str value)
    cdef _meant(self, Asked asked, list keys)
