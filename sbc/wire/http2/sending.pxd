cdef class Sending:
    cpdef send(self, stream, bytes data)
