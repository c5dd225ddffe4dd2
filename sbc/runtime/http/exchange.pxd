import cython

from sbc.core._fields cimport first
from sbc.core.forwarding cimport client_fields, client_trailers
from sbc.model.http cimport Request, Response
from sbc.protocols.protocol cimport Reading
from sbc.runtime.http.answer cimport Answer
from sbc.runtime.http.asking cimport Asking
from sbc.runtime.http.flow cimport at_end, read_events


cdef class Exchange(Asking):
    cdef public double quiet
    cdef public Answer answer
    cdef public bint begun, wants_answer, whole
    cdef public double held
    cdef public long long left_at
    cdef public Exchange onward
    cdef public bytes preface

    @cython.locals(reading=Reading, answer=Answer, alters=bint, events=bint, wanted=bint)
    cpdef answered(self, Response response, bint end, bytes body=*)
    cdef _came_along(self, bytes body, bint end)
    cpdef answer_body(self, bytes data)
    cpdef answer_ended(self, list trailers)
    cpdef learn(self)
    cpdef tell(self)
    cpdef over(self)
    cdef _respond(self, Response response, bytes body, bint end)
    cdef bytes _too_long(self)
    cdef _respond_whole(self, bytes body)
    cdef _unfinished(self)
    cdef _end(self, list trailers)


cdef bint _refused(Response response) except -1
