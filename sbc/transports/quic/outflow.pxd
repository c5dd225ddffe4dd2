from sbc.transports.outflow cimport Outflow
from sbc.transports.quic.budget cimport Http3Budget


cdef class DatagramOutflow(Outflow):
    cdef Http3Budget _budget
    cdef object _beat
    cdef Py_ssize_t _added
    cdef bint _waits
    cdef double _rests_until

    cpdef put(self, stream, bytes data)
    cpdef add(self, stream, bytes data)
    cpdef touch(self)
    cpdef flush(self)
    cdef _queue(self, stream, bytes data)
