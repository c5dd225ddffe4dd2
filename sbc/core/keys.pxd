import cython

from sbc.core._fields cimport first
from sbc.core._octets cimport index
from sbc.model.http cimport Request


cpdef route_key(Request request, object key, object body)
cdef int _QUERY


@cython.locals(target=bytes)
cpdef session_token(Request request)
@cython.locals(told=bytes, header=bytes)
cpdef minted(list fields, object key)
@cython.locals(value=bytes, header=bytes)
cdef _find(Request request, object key, object body)
