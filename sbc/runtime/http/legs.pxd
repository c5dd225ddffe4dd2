from sbc.runtime.http.outgoing cimport Place


cdef class Places:
    cdef object _handover, _session
    cdef dict _places
    cdef bint _served
    cdef public bint keeps
    cdef public object resident
    cdef public long long serving

    cpdef Place at(self, long long seat)
