from sbc.transports.http1_intake cimport Http1Intake
from sbc.transports.valves cimport Outlet


cdef class Http1Connection(Http1Intake):
    cdef object _mark
    cdef Outlet _out
