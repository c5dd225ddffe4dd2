import cython

from sbc.model.http cimport Request, Response
from sbc.nodes.answer cimport AnswerReader
from sbc.nodes.errand cimport Errand
from sbc.nodes.http1_outlet cimport Outlet
from sbc.wire.http1 cimport request_head


cdef class Http1Line(Outlet):
    cdef AnswerReader _answer
    cdef Errand _errand
    cdef bint _headed, _held, _over, _paused, _reused, _silent
    cdef object _lines
    cdef Py_ssize_t _stall
    cdef double _stalled_at
    cdef public double idle_until

    cpdef data_received(self, bytes data)
    cpdef start(self, Errand errand)
    @cython.locals(request=Request)
    cpdef begin(self, Errand errand)
    cpdef bint closing(self) except -1
    cpdef send(self, Errand errand, bytes data)
    cpdef finish(self, Errand errand, list trailers)
    cpdef drop(self)
    @cython.locals(answer=AnswerReader, response=Response, body=bytes)
    cdef _tell(self, Errand errand)
    @cython.locals(answer=AnswerReader)
    cdef _tell_body(self, Errand errand)
    cdef _free(self, Errand errand)
    cdef _stop_reading(self)
    cdef _close(self)
