import cython

from sbc.core._fields cimport parted
from sbc.core._octets cimport number_of
from sbc.model.http cimport Request, plain_request
from sbc.wire._heads cimport fields_of, head_end, request_line


cdef frozenset _LISTS
cdef Py_ssize_t _LONGEST_NUMBER
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
    cdef public Request request
    cdef public bint upgrade
    @cython.locals(begun=bytes, start=Py_ssize_t, end=Py_ssize_t, blank=Py_ssize_t)
    cpdef Py_ssize_t read(self, bytes data, Py_ssize_t at) except -2
    @cython.locals(fields=list, request=Request, method=bytes, target=bytes, modern=bint, at=Py_ssize_t, line=tuple)
    cdef _judge(self, bytes head)
    @cython.locals(name=bytes, special=dict, kept=list, told=list, old=bint)
    cdef _sort(self, Request request, list fields)
    @cython.locals(octets=cython.longlong)
    cdef _sort_out(self, Request request, dict special, bint old)
    @cython.locals(target=bytes)
    cdef _aim(self, Request request)
