"""What an agent node imports to join an edge. Depends on aiohttp and sbc/model, on nothing else."""

from sbc.sdk.link import LegRefused, SessionClosed
from sbc.sdk.node import Node
from sbc.sdk.opening import Invite
from sbc.sdk.session import Session

__all__ = ["Invite", "LegRefused", "Node", "Session", "SessionClosed"]
