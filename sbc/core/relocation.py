"""Where a node sends a client: never to the node itself. An absolute URL of its own becomes one of the edge's."""

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from sbc.model.http import Response

_PORTS: Final = {"http": 80, "ws": 80, "h2c": 80, "https": 443, "wss": 443, "h2": 443}


def relocated(response: Response, url: str) -> None:
    """Make the Location (RFC 9110 section 10.2.2) of an answer of the node at `url` one that a client can follow."""
    if response.status == 201 or 300 <= response.status < 400:
        response.fields = [(name, _ours(value, url) if name == b"location" else value)
                           for name, value in response.fields]  # fmt: skip


def _ours(location: bytes, url: str) -> bytes:
    host, port, prefix = _place(url)
    try:
        parts = urlsplit(location.decode("latin-1"))
        if parts.hostname is None or (parts.hostname, parts.port or _PORTS.get(parts.scheme, port)) != (host, port):
            return location
    except ValueError:
        return location
    # The path alone: relative to what the client has asked for, which is the edge's.
    path = parts.path
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        path = path[len(prefix):]
    return parts._replace(scheme="", netloc="", path=path or "/").geturl().encode("latin-1")


@lru_cache(maxsize=4096)
def _place(url: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0), parts.path.rstrip("/")
