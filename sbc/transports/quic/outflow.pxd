from sbc.transports.outflow cimport Outflow


cdef class DatagramOutflow(Outflow):
    cpdef flush(self)
