cdef class NativeEngine:
    cdef object _connection
    cdef object _last
    cdef bytes _last_words
    cdef bint _over
    cdef object _owner
    cdef set _sending
    cdef set _slow
    cdef public bint extended_connect
    cdef public bint greeted
    cdef public object max_streams

    cpdef receive(self, bytes data)
    cpdef outgoing(self, limit=*)
    cpdef send(self, stream, data)
    cdef bytes _rest(self)
    cdef _weigh(self)
    cdef _tell(self, list events)
