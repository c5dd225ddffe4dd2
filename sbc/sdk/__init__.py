"""What an agent node imports to join an edge. Depends on aiohttp and sbc/model, on nothing else.

    node                        begins it all
    session  http_session  exchange  inbox      what an agent holds in hand: over WebSocket, over HTTP
    seats  opening              the sessions that a node has; how one is opened to it
    trunks  trunk               to all edges, to one
    link  answer                the seam to servers: web (aiohttp), asgi
    client/                     what an application imports
"""

from sbc.sdk.exchange import Exchange
from sbc.sdk.http_session import HttpSession
from sbc.sdk.link import LegRefused, SessionClosed
from sbc.sdk.node import Node
from sbc.sdk.opening import Invite
from sbc.sdk.session import Session

__all__ = ["Exchange", "HttpSession", "Invite", "LegRefused", "Node", "Session", "SessionClosed"]
