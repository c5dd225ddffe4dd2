cdef class Upload:
    cdef public list pieces, trailers
    cdef public long long octets
    cdef public bint ended, whole

    cpdef add(self, bytes data)
    cpdef count(self, bytes data)
    cpdef drop(self)
    cpdef end(self, list trailers)
