from sbc.core._fields cimport first
from sbc.core.relay cimport Relay
from sbc.model.http cimport Response
from sbc.protocols.events cimport Scanner


cdef class Answer:
    cdef public object form, handle, body, ids, last_id
    cdef public Relay outbound
    cdef public Response head
    cdef public Scanner scanner
    cdef public bytes id_line, mark
    cdef public long long delivered, skip

    cpdef begin(self, Response response, bint end, bint events, bint wanted_whole)


cdef bint _is_events(Response response) except -1
