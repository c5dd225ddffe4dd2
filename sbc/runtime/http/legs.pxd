from sbc.core.relay cimport Relay
from sbc.runtime.http.outgoing cimport Place


cdef class Places:
    cdef object _handover, _session
    cdef Relay _inbound
    cdef dict _places
    cdef bint _served
    cdef public bint keeps
    cdef public object resident
    cdef public long long serving

    cpdef Place place(self)
    cpdef Place at(self, long long seat)
