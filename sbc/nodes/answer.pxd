cdef class AnswerReader:
    cdef bint _chunked, _head_request, _heading, _modern
    cdef list _fields
    cdef int _interim
    cdef object _length, _parser
    cdef Py_ssize_t _octets, _unread
    cdef public list interim, body, trailers
    cdef public object response, patience
    cdef public bint complete, close_framed, keep
    cdef public str fault

    cpdef expect(self, bint head)
    cpdef read(self, bytes data)
    cpdef bytes take_body(self)
    cdef _refuse(self, str fault)
    cdef _frame(self, bytes name, bytes value)
    cdef _inform(self, int status)
