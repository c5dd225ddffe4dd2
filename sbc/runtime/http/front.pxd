from sbc.core.forwarding cimport check_fields
from sbc.core.keys cimport route_key, session_token
from sbc.runtime.http.exchange cimport Exchange
