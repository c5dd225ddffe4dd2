import cython

from sbc.model.http cimport Request
from sbc.nodes.errand cimport Errand
from sbc.nodes.lines cimport Lines


cdef class Pool:
    cdef object _engine, _loop, _spawn, _timer
    cdef readonly dict _nodes
    cdef readonly list _retired
    cdef public object trusts
    cdef object _marks
    cdef public Py_ssize_t garbage

    @cython.locals(lines=Lines, errand=Errand)
    cpdef open(self, object node, Request request, object answerer)
    @cython.locals(lines=Lines)
    cdef Lines _lines_of(self, object node)
