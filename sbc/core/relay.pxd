import cython

from sbc.core.journal cimport Journal
from sbc.core._octets cimport ascii_text


cdef int _FRAMES
cdef Py_ssize_t _OCTETS


cdef class Tally:
    cdef public long long messages
    cdef public long long octets
    cdef public long long suppressed
    cdef public long long stale


cdef class Relay:
    cdef public Journal journal
    cdef public Tally tally
    cdef public long long count
    cdef public object clerk
    cdef public object gate
    cdef public Py_ssize_t stopped
    cdef public bint attention
    cdef public object notices
    cdef public object fault
    cdef public object ear
    cdef bint _masked
    cdef Py_ssize_t _limit
    cdef bint _deflate
    cdef bint _keep
    cdef long long _suppress
    cdef object _tail
    cdef Py_ssize_t _need
    cdef object _fragments
    cdef bint _fast

    @cython.locals(start=Py_ssize_t, size=Py_ssize_t, end=Py_ssize_t, left=int, most=Py_ssize_t)
    cpdef bytes admit(self, bytes data, Py_ssize_t at=*)
    cpdef Relay rest(self)

    @cython.locals(length=Py_ssize_t, body=Py_ssize_t, mask_at=Py_ssize_t, end=Py_ssize_t)
    cdef Py_ssize_t _whole_message(self, bytes data, Py_ssize_t at, Py_ssize_t size)
    cdef bytes _admit_slowly(self, bytes data, Py_ssize_t at)
