from sbc.protocols.protocol cimport Reading


cdef class OpaqueReading(Reading):
    pass
