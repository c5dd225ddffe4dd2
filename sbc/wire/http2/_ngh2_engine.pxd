from libc.stdint cimport int32_t, uint32_t

from sbc.wire.http2.sending cimport Sending


cdef class Body:
    cdef list pieces
    cdef Py_ssize_t at
    cdef Py_ssize_t offset
    cdef size_t queued
    cdef object trailers
    cdef bint ended
    cdef bint deferred
    cdef bint slow


cdef class DirectEngine(Sending):
    cdef void *_session
    cdef object _owner
    cdef dict _bodies
    cdef list _events
    cdef list _fields
    cdef size_t _most_octets
    cdef size_t _octets
    cdef size_t _queued
    cdef int _slow
    cdef int32_t _reset
    cdef int32_t _last
    cdef uint32_t _code
    cdef bytes _reason
    cdef bytes _rest
    cdef bytes _last_words
    cdef object _failure
    cdef bint _closing
    cdef bint _exhausted
    cdef bint _over
    cdef public bint extended_connect
    cdef public bint greeted
    cdef public object max_streams

    cpdef receive(self, bytes data)
    cpdef outgoing(self, Py_ssize_t limit=*)
    cpdef send(self, stream, bytes data)
    cpdef consume(self, int32_t stream, Py_ssize_t octets)
    cdef bytes _written(self, Py_ssize_t limit)
    cdef _look_for_end(self)
    cdef _weigh(self)
    cdef _tell(self)
    cdef _end(self, uint32_t code, str reason)
    cdef _fail(self, int fault)
