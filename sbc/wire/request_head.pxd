import cython

from sbc.wire._heads cimport fields_of, request_line


cdef frozenset _FRAMING
cdef frozenset _METHODS
cdef frozenset _SPECIAL


cdef class RequestReader:
    cdef bytes _begun, _target
    cdef object _host
    cdef Py_ssize_t _max_fields
    cdef Py_ssize_t _max_octets
    cdef public bint chunked
    cdef public bint expects
    cdef public Py_ssize_t octets
    cdef public bint persists
    cdef public list raw
    cdef public object request
    cdef public bint upgrade
    cpdef Py_ssize_t read(self, bytes data, Py_ssize_t at) except -2
    @cython.locals(fields=list)
    cdef _judge(self, bytes head)
    @cython.locals(name=bytes, special=dict, kept=list, old=bint)
    cdef _sort(self, object request, list fields)
    cdef _aim(self, object request)
