from sbc.core._fields cimport first
from sbc.protocols.events cimport Scanner


cdef class Answer:
    cdef public object form, handle, head, body, last_id
    cdef public Scanner scanner
    cdef public bytes id_line, mark
    cdef public long long delivered, skip

    cpdef begin(self, object response, bint end, bint events, bint wanted_whole)


cdef bint _is_events(object response) except -1
