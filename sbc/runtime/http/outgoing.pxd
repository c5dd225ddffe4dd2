from sbc.core.forwarding cimport node_fields, node_target
from sbc.core._octets cimport decimal
from sbc.model.http cimport Request, plain_request


cdef class Place:
    cdef list _fields
    cdef object _principal
    cdef public object node, resume

    cpdef list fields(self, long long number)


cpdef Request outgoing(Request request, list own)
