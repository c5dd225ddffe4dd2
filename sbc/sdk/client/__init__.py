"""What an application imports to talk to an agent behind an edge. Depends on h2, qh3 and sbc/model, on nothing else."""

from sbc.sdk.client.connect import connect
from sbc.sdk.client.contract import Gap, Refused, SessionEnded, Ticket, Unreachable
from sbc.sdk.client.session import Session
from sbc.sdk.client.stream import Transport

__all__ = ["Gap", "Refused", "Session", "SessionEnded", "Ticket", "Transport", "Unreachable", "connect"]
