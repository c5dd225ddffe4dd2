import cython


cdef class TlsTransport:
    cdef object _protocol
    cdef object _failed
    cdef double _deadline
    cdef object _incoming
    cdef object _outgoing
    cdef object _ssl
    cdef object _feed
    cdef object _decrypt
    cdef object _encrypt
    cdef object _drain
    cdef object _raw
    cdef object _timer
    cdef bint _shaking
    cdef bint _open
    cdef bint _mute
    cdef bint _over
    cdef bint _paused
    cdef bint _congested
    cdef bint _choked

    cpdef data_received(self, bytes data)
    @cython.locals(sent=Py_ssize_t)
    cpdef write(self, bytes data)
    cpdef close(self)
    cpdef abort(self)

    @cython.locals(at=Py_ssize_t)
    cdef _receive(self, bytes data)
    @cython.locals(part=bytes)
    cdef _read_records(self, list parts)
    cdef _deliver(self, list parts)
    cdef _answer(self)
    cdef _end(self)
    cdef _say_goodbye(self)
