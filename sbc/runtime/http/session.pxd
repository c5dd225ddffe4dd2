from sbc.core.keys cimport minted
from sbc.runtime.http.exchange cimport Exchange
from sbc.runtime.http.flow cimport count, event_entry, keep_event
from sbc.runtime.http.journal cimport request_entry
from sbc.runtime.http.outgoing cimport Place, outgoing
