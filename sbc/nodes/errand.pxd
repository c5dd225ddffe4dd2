from sbc.model.http cimport Request
from sbc.model.streams cimport Answerer


cdef class Errand:
    cdef bint _body_begun, _repeated, _slow_told, _told
    cdef list _early
    cdef Py_ssize_t _early_bytes
    cdef object _early_end, _errands, _line
    cdef public Answerer answerer
    cdef public object state
    cdef public Request request
    cdef public bint congested, paused
    cdef public double since

    cpdef send(self, bytes data)
    cpdef bint taken(self, object line) except -1
    cpdef begun(self)
    cpdef done(self)
    cpdef heard(self)
    cdef _end(self)
    cdef bint _may_go_again(self)
    cdef _go_again(self)
