from sbc.core._fields cimport first
from sbc.core.relay cimport Relay
from sbc.model.http cimport Response
from sbc.protocols.events cimport Scanner


# What every event touches stands together at the front: there are as many answers as streams, and no cache holds all.
cdef class Answer:
    cdef public Scanner scanner
    cdef public Relay outbound
    cdef public bint unread
    cdef public long long delivered, skip
    cdef public object form, ids
    cdef public bytes id_line, mark, own
    cdef public object body, handle, last_id
    cdef public Response head
    cdef public int status

    cpdef begin(self, Response response, bint events, bint wanted_whole)


cdef bint _is_events(Response response) except -1
