import cython

from sbc.core._octets cimport index
from sbc.model.http cimport Request

cdef int _QUERY


cdef class Way:
    cdef public object agent, authority, doorman, key, limits, manifest, mark, policy, protocol, rewrite, route
    cdef public bint asks_for_body, in_body, paced, shares_place
    cdef public Py_ssize_t most_body, most_fields, most_head
    cdef str _client
    cdef object _address

    cpdef address(self, str client)


cdef class Ways:
    cdef public object hops, rules
    cdef object _routes
    cdef dict _known
    cdef bytes _authority, _target
    cdef Way _last

    @cython.locals(authority=bytes, target=bytes, path=bytes, place=tuple, mark=Py_ssize_t, way=Way)
    cpdef Way find(self, Request request)
