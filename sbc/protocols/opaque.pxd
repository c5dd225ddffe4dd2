from sbc.core._fields cimport first
from sbc.protocols.protocol cimport Reading


cdef class OpaqueReading(Reading):
    pass
