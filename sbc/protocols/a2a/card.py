"""Agent cards: a client must find the agent where the edge is, not where the node is.

    1.0   supportedInterfaces[].url
    0.3   url, additionalInterfaces[].url            (agents for both write both)

Each becomes a URL of the edge as this client sees it: the scheme by which the card was asked for, the authority that
was asked, and the path that the node named, under the route's, but for what of that leads to cards alone
(`/.well-known`). URLs of other things (documentation, provider, token services) stay. A card's signatures (A2A 1.0
section 8.4) cover its URLs: if anything was changed they are taken off, since a signature that is wrong is worse than
none. An agent whose card has to be verified signs it with the edge's URLs in it: then nothing is changed, and its bytes
stay as they are.
"""

from typing import Any
from urllib.parse import urlsplit

import orjson

from sbc.model.http import Request
from sbc.protocols.a2a.calls import loads
from sbc.protocols.a2a.seen import dicts

_SECURE = {"http": "https", "https": "https", "ws": "wss", "wss": "wss"}

_PLAIN = {"http": "http", "https": "http", "ws": "ws", "wss": "ws"}


def rewritten(body: bytes, request: Request, prefix: str, *, rpc: bool) -> bytes:
    """A card, whole, as the client that asked for it is to see it.

    prefix: the path of the route. rpc: it is the result of a JSON-RPC answer. What is no card stays as it is.
    """
    said = loads(body)
    card = said.get("result") if rpc and isinstance(said, dict) else said
    if not isinstance(card, dict):
        return body
    changed, under = False, prefix.partition("/.well-known")[0].rstrip("/")
    for place in [card, *dicts(card.get("supportedInterfaces")), *dicts(card.get("additionalInterfaces"))]:
        url = place.get("url")
        if isinstance(url, str) and (ours := _ours(url, request, under, _grpc(place))) != url:
            place["url"], changed = ours, True
    if not changed:
        return body
    card.pop("signatures", None)
    try:
        return orjson.dumps(said)
    except TypeError:  # nested more deeply than JSON is written here: no card of any use
        return b"{}"


def _ours(url: str, request: Request, prefix: str, grpc: bool) -> str:
    """A URL of the agent as one of the edge's; the same if it cannot be one."""
    authority = request.authority.decode("latin-1")
    if grpc and "://" not in url:
        return authority if ":" in authority.rpartition("]")[2] else f"{authority}:{443 if request.secure else 80}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    scheme = (_SECURE if request.secure else _PLAIN).get(parts.scheme.lower())
    if scheme is None:
        return url
    path = parts.path
    if prefix and path != prefix and not path.startswith(prefix + "/"):
        path = prefix + path
    return parts._replace(scheme=scheme, netloc=authority, path=path).geturl()


def _grpc(place: dict[str, Any]) -> bool:
    """Whether an interface is a gRPC one: those are often named without a scheme."""
    named = place.get("protocolBinding") or place.get("transport") or place.get("preferredTransport")
    return isinstance(named, str) and named.upper() == "GRPC"
