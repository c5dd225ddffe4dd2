import cython

from sbc.model.http cimport Request
from sbc.transports.http1_stream cimport Carrier, Http1Stream
from sbc.transports.patience cimport Patience
from sbc.transports.valves cimport Inlet
from sbc.wire.request_head cimport RequestReader


cdef class Http1Intake(Carrier):
    cdef object __weakref__
    cdef object _body, _client, _listener, _loop, _reception, _stage, _take, _transport
    cdef bint _expects, _lingers, _persists, _plain, _retired, _secure, _websocket
    cdef Inlet _inlet
    cdef bytes _kept
    cdef Patience _patience
    cdef RequestReader _reader
    cdef int _requests
    cdef Http1Stream _stream
    cdef public bint congested
    cdef public bytes services
    cdef public str certificate
    cpdef data_received(self, bytes data)
    cdef _read(self, bytes data)
    cdef _keep(self, bytes rest)
    @cython.locals(request=Request, reader=RequestReader, end=Py_ssize_t)
    cdef Py_ssize_t _read_head(self, bytes data, Py_ssize_t at) except -2
    cdef Py_ssize_t _read_body(self, bytes data, Py_ssize_t at) except -2
    cdef _await_request(self)
    cdef _go_on(self)
