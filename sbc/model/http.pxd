import cython


# In the order of http.py, which is that of the arguments.

cdef class Request:
    cdef public bytes method
    cdef public bytes target
    cdef public bytes authority
    cdef public list fields
    cdef public bint bodied
    cdef public object length
    cdef public bytes protocol
    cdef public str version
    cdef public str client
    cdef public bint secure
    cdef public str listener
    cdef public tuple via
    cdef public str certificate


cdef class Response:
    cdef public int status
    cdef public list fields
    cdef public object length


@cython.locals(request=Request)
cpdef Request plain_request(
    bytes method, bytes target, bytes authority, list fields, bint bodied, object length, str version)
@cython.locals(response=Response)
cpdef Response plain_response(int status, list fields, object length)
