"""Where the URL of a node leads (or of a worker, or an edge), and by which version of HTTP it is spoken to there."""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from urllib.parse import urlsplit

MOST_SHARED = 8
MOST_BETWEEN_EDGES = 64
"""To a node, and to another worker or edge, whose clients may all have come here."""


class Speech(Enum):
    """What a node speaks, as its URL's scheme says."""

    HTTP1 = "http/1.1"
    HTTP2 = "h2"
    EITHER = "either"
    """TLS: the node chooses (ALPN, RFC 7301)."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    secure: bool
    prefix: str
    """The path of the node's URL, put before that of each request."""
    speech: Speech
    socket: str = ""
    """The path of a Unix socket; empty: it is reached by TCP."""
    most_shared: int = MOST_SHARED
    """How many connections over HTTP/2 there may be, each of which carries many requests."""


_SCHEMES = {
    "http": (Speech.HTTP1, False, 80), "ws": (Speech.HTTP1, False, 80),
    "https": (Speech.EITHER, True, 443), "wss": (Speech.EITHER, True, 443),
    # RFC 9113 section 3.3: HTTP/2 with prior knowledge; and HTTP/2 or nothing, over TLS.
    "h2c": (Speech.HTTP2, False, 80), "h2": (Speech.HTTP2, True, 443),
}  # fmt: skip


@lru_cache(maxsize=4096)
def address_of(url: str) -> Address:
    """Where a URL leads: a node's (http, https, ws, wss, h2c, h2), a worker's (worker:PATH), an edge's
    (edge://HOST:PORT). Raises ValueError for one that leads nowhere."""
    parts = urlsplit(url)
    if parts.scheme == "worker":
        return Address("", 0, False, "", Speech.HTTP2, parts.path, MOST_BETWEEN_EDGES)
    if parts.scheme == "edge":
        return Address(parts.hostname or "", parts.port or 0, True, "", Speech.HTTP2, "", MOST_BETWEEN_EDGES)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"no way to speak to a node by `{parts.scheme}`")
    speech, secure, port = _SCHEMES[parts.scheme]
    return Address(parts.hostname or "", parts.port or port, secure, parts.path.rstrip("/"), speech)
