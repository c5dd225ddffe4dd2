from sbc.core.relay cimport Relay
from sbc.runtime.http.known cimport KnownSession


cdef class AttendedSession(KnownSession):
    cdef public dict exchanges
    cdef public object newcomers, withheld
    cdef public Relay outbound
