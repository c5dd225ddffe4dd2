"""What an application imports to talk to an agent behind an edge. Depends on h2, qh3 and sbc/model, on nothing else.

    connect  session            begins it all; one conversation over many connections
    contract  outbox  bearer    what client and edge owe each other; what the edge may not have; a fresh token in time
    ways  race                  which transport first, and a second one beside it
    websocket  frames  stream   one connection: messages, frames, bytes
    http1  tunnel  http2  http3         what carries the bytes
"""

from sbc.sdk.client.connect import connect
from sbc.sdk.client.contract import Gap, Refused, SessionEnded, Ticket, Unreachable
from sbc.sdk.client.session import Session
from sbc.sdk.client.stream import Transport

__all__ = ["Gap", "Refused", "Session", "SessionEnded", "Ticket", "Transport", "Unreachable", "connect"]
