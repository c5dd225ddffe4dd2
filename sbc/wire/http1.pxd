import cython

from sbc.core._fields cimport lines_of, unbroken
from sbc.core._octets cimport decimal
from sbc.model.http cimport Request, Response

cpdef bytes request_head(Request request)
cpdef framing_of(Response response, bint end, bint to_head, bint old)
cdef dict _STATUS_LINES

@cython.locals(parts=list)
cpdef bytes response_head(Response response, object framing, bint end, bytes connection, bytes body=*)
cpdef bytes chunk(bytes data)
cpdef bytes last_chunk(list trailers)
cdef bytes _status_line(int status)
cpdef bytes field_lines(list fields)
