from sbc.model.http cimport Request


cdef class Reading:
    cdef public object body
    cdef public list learned
    cdef public Request request
