import cython

from sbc.nodes.errand cimport Errand
from sbc.nodes.http1 cimport Http1Line


cdef class Lines:
    cdef readonly str url
    cdef readonly bytes prefix
    cdef readonly object trust
    cdef public object mark
    cdef public object node, trusts
    cdef object _engine, _name, _where, _spawn, _speech, _loop
    cdef set _lines
    cdef list _idle, _shared, _asking
    cdef Py_ssize_t _dials
    cdef object _waiting, _tunnels
    cdef bint _retired
    cdef readonly object garbage

    @cython.locals(line=Http1Line)
    cpdef bint carry(self, Errand errand) except -1
    cpdef freed(self, Http1Line line, object patience=*)
