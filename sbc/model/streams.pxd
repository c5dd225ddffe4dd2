cdef class ClientStream:
    cdef public bint congested

    cpdef send(self, bytes data)


cdef class Answerer:
    cpdef answer_body(self, bytes data)
