cdef class _Told:
    cdef public bint complete
    cdef public list fields
    cdef public bytes target

cdef class RequestReader:
    cdef bytes _begun, _target
    cdef object _host
    cdef Py_ssize_t _max_fields
    cdef Py_ssize_t _max_octets
    cdef object _parser
    cdef _Told _told
    cdef public bint chunked
    cdef public bint expects
    cdef public Py_ssize_t octets
    cdef public bint persists
    cdef public list raw
    cdef public object request
    cdef public bint upgrade
    cpdef Py_ssize_t read(self, bytes data, Py_ssize_t at) except -2
    cdef _judge(self, bytes head)
    cdef _sort(self, object request, list fields)
    cdef _aim(self, object request)
    cdef _feed(self, bytes piece, bytes head)
