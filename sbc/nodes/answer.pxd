import cython

from sbc.core._fields cimport first, parted
from sbc.core._octets cimport cut, number_of
from sbc.model.http cimport Response, plain_response
from sbc.wire._heads cimport fields_of, head_end, status_line


cdef frozenset _FRAMING
cdef Py_ssize_t LONGEST_NUMBER
cdef Py_ssize_t _SIZE_DIGITS
cdef bytes _LAST_CHUNK


cdef class AnswerReader:
    cdef bytes _begun
    cdef bint _between, _chunk_over, _chunked, _head_request, _heading, _parsing
    cdef object _chunks, _length
    cdef int _interim
    cdef Py_ssize_t _octets, _unread
    cdef long long _left
    cdef public list interim, body, trailers
    cdef public Response response
    cdef public object patience
    cdef public bint complete, close_framed, keep
    cdef public str fault

    cpdef expect(self, bint head)
    @cython.locals(at=Py_ssize_t, seen=Py_ssize_t, end=Py_ssize_t)
    cpdef read(self, bytes data)
    cpdef bytes take_body(self)
    cdef _begin(self, bytes piece)
    @cython.locals(fields=list, kept=list, framing=list, line=tuple)
    cdef _read_head(self, bytes head)
    @cython.locals(length=cython.longlong)
    cdef _frame(self, bytes name, bytes value)
    cdef _inform(self, int status, list fields)
    cdef _respond(self, int status, bint modern, list fields)
    @cython.locals(left=cython.longlong)
    cdef _read_body(self, bytes data)
    cdef _read_chunks(self, bytes data)
    @cython.locals(at=Py_ssize_t, begin=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t, digit=int)
    cdef bytes _take_chunks(self, bytes data)


cdef bint _says_close(list fields) except -1
