import cython

from sbc.core._octets cimport in_eight
from sbc.core.relay cimport Relay
from sbc.protocols._lines cimport may_have_id, numbered
from sbc.protocols.events cimport Scanner, event_id, has_data, without_id
from sbc.runtime.http.answer cimport Answer
from sbc.runtime.http.asking cimport Asking

cdef object _KEEP
cdef object _ADD


@cython.locals(seen=bytes, out=list, attentive=bint, relay=Relay, scanner=Scanner)
cpdef bytes read_events(Asking exchange, Answer answer, bytes data)
cpdef bint at_end(Asking exchange, Answer answer) except -1
cdef bint _is_whole(bytes said) except -1
cpdef bytes keep_event(Relay relay, Asking exchange, Answer answer, bytes message)
@cython.locals(own=bytes)
cdef bytes _numbered(bytes event, Answer answer, long long number)
cpdef bytes event_entry(unsigned long long exchange, bytes message)
cpdef count(Relay relay, bytes mark, bytes entry, long long octets, bint keep=*)
