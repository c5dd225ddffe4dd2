from sbc.protocols._lines cimport event_end, may_have_id, numbered


cdef class Scanner:
    cdef public str fault
    cdef Py_ssize_t _limit
    cdef bint _begun
    cdef bint _clear
    cdef bytearray _pending
    cdef Py_ssize_t _searched

    cpdef list feed(self, bytes data)
    cdef list _feed_slowly(self, bytes data, list events)
    cdef Py_ssize_t _cut(self, object buffer, Py_ssize_t at, list events)
    cdef list _keep(self, object buffer, Py_ssize_t at, list events)


cpdef bytes event_id(bytes event)
cpdef bint has_data(bytes event)
cpdef bytes with_id(bytes event, bytes identity)
cpdef bytes with_number(bytes event, bytes before, long long number)
cpdef bytes without_id(bytes event)
