import cython

from sbc.runtime.http.upload cimport Upload


cdef class Asking:
    cdef public object client, home, key, node, policy, reading, request, stage
    cdef public Upload upload
    cdef public long long attempts, number, seat
    cdef public bint in_turn, keep, waiting
    cdef object _then
    cdef long long _longest

    cpdef body(self, bytes data)
    cpdef body_ended(self, list trailers)
    cpdef send(self, object reach, object node, object request)
    cpdef leave_node(self)
    cpdef refuse(self, object refusal)
    cdef _ask(self, object reach, object node, object request, bytes body)
    cdef _open(self, object reach, object node, object request)
