import cython

from sbc.core.relay cimport Relay
from sbc.protocols.events cimport event_id, has_data, with_id
from sbc.runtime.http.answer cimport Answer

cdef object _KEEP
cdef object _ADD


@cython.locals(answer=Answer, seen=bytes, out=list)
cpdef bytes read_events(exchange, bytes data)
cpdef bytes keep_event(Relay relay, exchange, bytes message)
@cython.locals(own=bytes, answer=Answer)
cdef bytes _numbered(bytes event, exchange, long long number)
cpdef bytes event_entry(exchange, bytes message)
cpdef count(Relay relay, bytes entry, long long octets, bint keep)
