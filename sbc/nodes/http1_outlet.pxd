from sbc.model.http cimport Request
from sbc.wire.http1 cimport chunk, last_chunk


cdef class Outlet:
    cdef bint _chunked, _uploading
    cdef bytes _opening
    cdef object _loop, _transport
    cdef long long _owed

    cdef _say_head(self, Request request, bytes head)
    cdef bint _say_body(self, bytes data) except -1
    cdef bint _say_end(self, list trailers) except -1
    cdef _write(self, bytes data)
