from sbc.protocols.events cimport Scanner


cdef class Answer:
    cdef public object form
    cdef public object head
    cdef public Scanner scanner
    cdef public object body
    cdef public long long delivered
    cdef public long long skip
    cdef public object last_id
