"""How a connection to a node comes about: TCP (a Unix socket to another worker), TLS where the node's URL says so, and
what was agreed on over it."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from socket import (
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_USER_TIMEOUT,
)
from typing import cast

from sbc.model.marking import Mark
from sbc.nodes.address import MOST_SHARED, Address, Speech
from sbc.tls import SUITES
from sbc.wire.marking import marked
from sbc.wire.tls_transport import TlsTransport

GONE = 10_000
"""After how much silence of another edge's machine it is taken for lost, in milliseconds (tcp(7))."""
DIAL_TIMEOUT = 3.0
"""Seconds for TCP and TLS together."""

_OFFERS = {Speech.HTTP1: ["http/1.1"], Speech.HTTP2: ["h2"], Speech.EITHER: ["h2", "http/1.1"]}


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """How TLS is spoken to the nodes of a pool: whom the edge trusts, and the certificate that it shows."""

    contexts: Mapping[Speech, ssl.SSLContext]
    server_name: str | None
    """What their certificates have to be for; None: the host of their URL."""


def load_trust(ca: str | None, cert: str | None, key: str | None, server_name: str | None) -> Trust:
    """Read it from PEM files (ca None: the authorities of the system; cert and key None: no certificate is shown).
    Raises OSError or ssl.SSLError."""
    contexts = {speech: _context(speech, ca) for speech in Speech}
    for context in contexts.values():
        if cert is not None:
            context.load_cert_chain(cert, key)
    return Trust(contexts, server_name)


async def dial(
    where: Address, speech: Speech, trust: Trust | None, protocol: asyncio.BaseProtocol, failed: Callable[[str], None],
    mark: Mark | None,
) -> None:
    """Connect. trust: None: as the system has it. mark: what the packets bear, from the connection's standing on.

    Either `protocol.connection_made` is called, once TLS stands, or `failed` with the reason."""

    def insecure(error: Exception | None) -> None:
        failed(f"cannot connect: {error or 'closed in the TLS handshake'}")

    loop = asyncio.get_running_loop()
    deadline = loop.time() + DIAL_TIMEOUT
    try:
        if where.secure:
            context = client_context(speech) if trust is None else trust.contexts[speech]
            name = (trust and trust.server_name) or where.host
            tls = TlsTransport(protocol, context, name, deadline, insecure)
            protocol = cast(asyncio.BaseProtocol, tls)  # by its methods only
        async with asyncio.timeout_at(deadline):
            first = protocol if mark is None else _Marker(protocol, mark)
            if where.socket:
                await loop.create_unix_connection(lambda: first, where.socket)
            else:
                made, _ = await loop.create_connection(lambda: first, where.host, where.port)
                if where.most_shared > MOST_SHARED:
                    _watch(made)
    except (OSError, ValueError, TimeoutError) as error:  # ValueError: no name that a host can have
        failed(f"cannot connect: {error or 'timed out'}")


def _watch(transport: asyncio.BaseTransport) -> None:
    """Have the kernel notice that the machine at the other end is gone: nobody probes edges, as nodes are probed."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    for option, value in ((TCP_KEEPIDLE, 4), (TCP_KEEPINTVL, 2), (TCP_KEEPCNT, 3), (TCP_USER_TIMEOUT, GONE)):
        sock.setsockopt(IPPROTO_TCP, option, value)


class _Marker(asyncio.Protocol):
    """Marks a connection before anything is written to it, and hands it on."""

    def __init__(self, protocol: asyncio.BaseProtocol, mark: Mark) -> None:
        self._protocol = protocol
        self._mark = mark

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        line = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        marked(line, self._mark, None)
        line.set_protocol(self._protocol)
        self._protocol.connection_made(transport)


@lru_cache(maxsize=3)
def client_context(speech: Speech) -> ssl.SSLContext:
    """TLS towards nodes that are offered this, as the system has it."""
    return _context(speech, None)


def _context(speech: Speech, ca: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(_OFFERS[speech])
    return context


def agreed(transport: asyncio.Transport) -> str | None:
    """What ALPN (RFC 7301) came to; None: nothing, or there is no TLS."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    return tls.selected_alpn_protocol() if tls is not None else None


def ended_properly(transport: asyncio.Transport) -> bool:
    """Whether a connection that is at its end was ended by the node and not cut by somebody on the way.

    RFC 9112 section 9.8: over TLS only a close_notify ends an answer that nothing else does.
    """
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return True
    try:
        return not tls.read(1)
    except ssl.SSLError:  # SSLWantReadError too: nothing was said
        return False
