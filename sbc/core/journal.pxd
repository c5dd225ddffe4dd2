import cython

from sbc.core._octets cimport copy_into, get_length, put_length


cdef Py_ssize_t _HEADER
cdef Py_ssize_t _SMALLEST


cdef class Journal:
    cdef bytearray _buffer
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _head
    cdef Py_ssize_t _tail
    cdef Py_ssize_t _wrap_at
    cdef public Py_ssize_t octets
    cdef public Py_ssize_t limit
    cdef public long long first
    cdef public long long last
    cdef public long long taken
    cdef Py_ssize_t _fresh_at

    @cython.locals(need=Py_ssize_t)
    cpdef void append(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(need=Py_ssize_t)
    cpdef void append_marked(self, bytes mark, bytes data)
    cdef bint _admit(self, Py_ssize_t need)
    cdef void _added(self, Py_ssize_t need)
    @cython.locals(need=Py_ssize_t)
    cpdef void insist(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    cdef void _put(self, bytes data, Py_ssize_t start, Py_ssize_t end, Py_ssize_t need)
    cdef void _make_room(self, Py_ssize_t need, Py_ssize_t limit)
    @cython.locals(length=Py_ssize_t)
    cdef void _drop_oldest(self)
    cpdef void restart(self, long long first)
