"""Where a node's URL leads, and by which version of HTTP it is spoken to there."""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from urllib.parse import urlsplit


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


_SCHEMES = {
    "http": (Speech.HTTP1, False, 80), "ws": (Speech.HTTP1, False, 80),
    "https": (Speech.EITHER, True, 443), "wss": (Speech.EITHER, True, 443),
    # RFC 9113 section 3.3: HTTP/2 with prior knowledge; and HTTP/2 or nothing, over TLS.
    "h2c": (Speech.HTTP2, False, 80), "h2": (Speech.HTTP2, True, 443),
}  # fmt: skip


@lru_cache(maxsize=4096)
def address_of(url: str) -> Address:
    """Where a node's URL (http, https, ws, wss, h2c, h2) leads. Raises ValueError for one that leads nowhere."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"no way to speak to a node by `{parts.scheme}`")
    speech, secure, port = _SCHEMES[parts.scheme]
    return Address(parts.hostname or "", parts.port or port, secure, parts.path.rstrip("/"), speech)
