from sbc.core.forwarding cimport node_fields, node_target


cdef class Place:
    cdef list _fields
    cdef public object node, resume

    cpdef list fields(self, long long number)


cpdef outgoing(object request, list own)
