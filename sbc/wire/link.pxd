import cython

from sbc.core.relay cimport Relay

cdef Py_ssize_t _QUANTUM


cdef class Link:
    cdef public object transport
    cdef public object owner
    cdef public int tag
    cdef public object mask
    cdef public Relay relay
    cdef public object mate
    cdef public object forward
    cdef public object gauge
    cdef public bint heard
    cdef public bint congested
    cdef public int pauses
    cdef public double quiet
    cdef bytes _rest
    cdef Py_ssize_t _at
    cdef bint _sips

    @cython.locals(out=bytes, stopped=Py_ssize_t)
    cdef _take(self, Relay relay, bytes data, Py_ssize_t at)
    cdef _sip(self, Py_ssize_t octets)
    cpdef give_way(self)

    cpdef data_received(self, bytes data)
    cpdef pause(self, int reason)
    cpdef resume(self, int reason)
