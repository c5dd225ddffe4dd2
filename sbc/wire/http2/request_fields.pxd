import cython

from sbc.model.http cimport Request


cdef frozenset _SPECIAL
cdef Py_ssize_t _SHORT


# A field may be a tuple of another kind: one that is never to be indexed.
@cython.locals(octets=Py_ssize_t)
cpdef Py_ssize_t octets_of(list fields) except -1
cpdef check_size(list fields, Py_ssize_t octets, tuple limits)
@cython.locals(special=dict, kept=list, request=Request, length=bytes)
cpdef read_request(list fields, bint end, str version)
@cython.locals(host=bytes, authority=bytes)
cdef bytes _authority(dict special)
cdef _aim(Request request, bytes scheme)
cdef bint _expects(dict special) except -1
