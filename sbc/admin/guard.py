"""Keeps web pages from using an operator's browser against the edge.

The API has no password when it listens on loopback: whoever may log in to the machine is an operator. A web page is
not, but a browser carries its requests here. Two things tell them apart: a page that had its own name resolved to
127.0.0.1 (DNS rebinding) sends that name as Host, and a page of another site sends its Origin (RFC 6454 section 7).
"""

import ipaddress
import socket

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sbc.model.errors import Refusal

_SAFE_METHODS = frozenset({"GET", "HEAD"})


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    if listening.family == socket.AF_UNIX:
        return True
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


def guard(loopback: bool) -> Middleware:
    """A middleware that refuses such requests with 403."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if loopback and host and not _names_a_machine(host):
            raise Refusal(403, "foreign_host", f"this address is asked for as localhost or by number, not as {host!r}")
        origin = request.headers.get("Origin")
        if origin is not None and request.method not in _SAFE_METHODS and not _same_site(origin, host):
            raise Refusal(403, "foreign_origin", f"a page of {origin!r} may not change anything here")
        return await handler(request)

    return guarded


def _names_a_machine(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same_site(origin: str, host: str) -> bool:
    return origin.partition("://")[2].lower() == host.lower()
