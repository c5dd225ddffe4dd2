"""A client whose session is a connection shows beside it who it still is: by a request, for frames are the agent's."""

import math

from sbc.model.errors import Refusal
from sbc.model.http import Response
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.session import Session
from sbc.runtime.websocket.opening import expires_in


def renew(session: Session, exchange: Exchange) -> None:
    """Take what a POST without a body shows for the session that its `Session-Id` names. Raises Refusal 409 for all
    else: no request is a part of such a session."""
    request, identity, client = exchange.request, exchange.identity, exchange.client
    if request.method != b"POST" or request.bodied or identity is None:
        raise Refusal(409, "other_transport", "this session is a connection, not made of requests")
    if identity.good_until >= session.good_until:
        session.prove(identity)
    if client is not None:
        left = session.good_until
        fields = [] if left == math.inf else [(b"session-expires", expires_in(left).encode())]
        client.respond(Response(204, fields), end=True)
    exchange.over()
