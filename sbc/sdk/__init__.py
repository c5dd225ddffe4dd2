"""What an agent node imports to join an edge. Depends on aiohttp and sbc/model, on nothing else."""

from sbc.sdk.exchange import Exchange
from sbc.sdk.http_session import HttpSession
from sbc.sdk.link import LegRefused, SessionClosed
from sbc.sdk.node import Node
from sbc.sdk.opening import Invite
from sbc.sdk.session import Session

__all__ = ["Exchange", "HttpSession", "Invite", "LegRefused", "Node", "Session", "SessionClosed"]
