import cython

from sbc.model.http cimport Request


cdef class Way:
    cdef public object agent, authority, doorman, key, limits, manifest, mark, policy, protocol, route
    cdef public bint in_body, paced, shares_place


cdef class Ways:
    cdef public object hops, rules
    cdef object _routes
    cdef dict _known

    @cython.locals(target=bytes, path=bytes, place=tuple, mark=Py_ssize_t, way=Way)
    cpdef Way find(self, Request request)
