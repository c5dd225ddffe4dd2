from sbc.runtime.http.exchange cimport Exchange
from sbc.runtime.http.ways cimport Way


cdef class Asked:
    cdef public Exchange exchange
    cdef public Way way
    cdef public object again, arrived, principal
    cdef public double good_until
    cdef public list keys
    cdef public int races
