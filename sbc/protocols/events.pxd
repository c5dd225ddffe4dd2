from sbc.protocols._lines cimport event_end, just_data, may_have_id


cdef class Scanner:
    cdef bint _begun
    cdef bint _clear
    cdef Py_ssize_t _limit
    cdef public str fault
    cdef bytearray _pending
    cdef Py_ssize_t _searched

    cpdef list feed(self, bytes data)
    cpdef bytes rest(self)
    cpdef bint is_one(self, bytes data) except -1
    cdef list _feed_slowly(self, bytes data, list events)
    cdef Py_ssize_t _cut(self, object buffer, Py_ssize_t at, list events)
    cdef list _keep(self, object buffer, Py_ssize_t at, list events)


cpdef bytes event_id(bytes event)
cpdef bint has_data(bytes event)
cpdef bytes without_id(bytes event)
