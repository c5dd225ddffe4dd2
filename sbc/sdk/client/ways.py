"""Which transport leads to an edge, and which is tried first.

HTTP/3 is tried where an edge has said that it is there (Alt-Svc, RFC 7838), or the caller. It has a head start; then
TCP is tried beside it, and whichever stands first is taken. On TCP the TLS handshake chooses between HTTP/2 and
HTTP/1.1. What did not work is not tried again for a while.
"""

import asyncio
import re
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sbc.sdk.client.contract import Unreachable
from sbc.sdk.client.http1 import Http1Connection
from sbc.sdk.client.http2 import Http2Connection
from sbc.sdk.client.http3 import dial_http3
from sbc.sdk.client.race import dialled, first_address, race
from sbc.sdk.client.stream import ANSWER_WITHIN, ByteStream, Connection, Origin, Transport, Unfit

SHUNNED = 60.0
"""Seconds for which a transport that did not work is not tried."""
ORIGINS = 1000


@dataclass(slots=True)
class Lore:
    """What is known of one origin. Times are those of time.monotonic."""

    http3_port: int = 0
    http3_until: float = 0.0
    shunned: dict[Transport, float] = field(default_factory=dict)
    """Until when."""

    def shun(self, transport: Transport) -> None:
        """It did not work."""
        self.shunned[transport] = time.monotonic() + SHUNNED

    def shuns(self, transport: Transport) -> bool:
        return self.shunned.get(transport, 0.0) > time.monotonic()

    def learn(self, fields: Mapping[str, str]) -> None:
        """Take in an Alt-Svc of this host; one of another host is not for us: its certificate would be."""
        told = fields.get("alt-svc", "")
        if told == "clear":
            self.http3_until = 0.0
        elif found := re.search(r'\bh3=":(\d+)"(?:[^,]*\bma=(\d+))?', told):
            self.http3_port = int(found[1])
            self.http3_until = time.monotonic() + int(found[2] or 86400)


_known: "OrderedDict[Origin, Lore]" = OrderedDict()
"""What all sessions of this process have learnt; the one that was not asked for the longest is forgotten first."""


def lore_of(origin: Origin) -> Lore:
    """What is known of an origin."""
    lore = _known.setdefault(origin, Lore())
    _known.move_to_end(origin)
    if len(_known) > ORIGINS:
        _known.popitem(last=False)
    return lore


class Ways:
    """The ways to one edge."""

    def __init__(self, origin: Origin, ca_file: str | None, transports: Sequence[Transport] | None) -> None:
        """ca_file: whose certificates are believed, None: those of the system. transports: these and no others,
        HTTP/3 without having been told of it; None: as the edge says. Raises OSError for a file that is none."""
        self._origin = origin
        self._ca_file = ca_file
        self._asked = None if transports is None else frozenset(transports)
        self._lore = lore_of(origin)
        self._tls = ssl.create_default_context(cafile=ca_file) if origin.secure else None

    async def open(self, path: str, fields: Mapping[str, str]) -> ByteStream:
        """A WebSocket, over whatever stands first. Raises Refused by the edge, or Unreachable."""
        why = ""
        for _ in Transport:  # each can turn out to be unfit once
            connection = await self._connect()
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    stream = await connection.open(path, fields)
            except Unfit as fault:
                connection.abort()
                self._lore.shun(connection.transport)
                why = str(fault)
                continue
            except (OSError, TimeoutError) as fault:
                connection.abort()
                raise Unreachable(f"{connection.transport.value}: {_words(fault)}") from None
            except BaseException:
                connection.abort()
                raise
            self._lore.learn(stream.fields)
            return stream
        raise Unreachable(f"no transport leads to a WebSocket of this edge: {why}")

    async def _connect(self) -> Connection:
        http3, tcp = self._http3_port(), self._alpn()
        if not http3:
            return await self._dial_tcp(tcp)
        if not tcp:
            return await dialled(dial_http3(self._origin, http3, self._ca_file))
        connection = await race(dialled(dial_http3(self._origin, http3, self._ca_file)), self._dial_tcp(tcp))
        if connection.transport is not Transport.HTTP3:
            self._lore.shun(Transport.HTTP3)
        return connection

    def _http3_port(self) -> int:
        """Where HTTP/3 is to be tried; 0: nowhere."""
        if not self._origin.secure:
            return 0
        if self._asked is not None and Transport.HTTP3 in self._asked:
            return 0 if self._asked - {Transport.HTTP3} and self._lore.shuns(Transport.HTTP3) else self._origin.port
        told = self._asked is None and self._lore.http3_until > time.monotonic()
        return self._lore.http3_port if told and not self._lore.shuns(Transport.HTTP3) else 0

    def _alpn(self) -> list[Transport]:
        """What TCP may lead to."""
        asked = self._asked or frozenset(Transport)
        tried: list[Transport] = [Transport.HTTP2, Transport.HTTP1]
        fit = [way for way in tried if way in asked and not self._lore.shuns(way)]
        # Without TLS nobody says which version it is: it is HTTP/1.1, unless the caller knows better.
        return fit if self._origin.secure or self._asked is not None else [Transport.HTTP1]

    async def _dial_tcp(self, alpn: Sequence[Transport]) -> Connection:
        """Raises Unreachable."""
        if not alpn:
            raise Unreachable("no transport is left to try")
        if self._tls is not None:
            self._tls.set_alpn_protocols([way.value for way in alpn])
        return await dialled(first_address(
            self._origin.host, self._origin.port, socket.SOCK_STREAM,
            lambda family, address: _dial_tcp(self._origin, alpn, self._tls, family, address)))


async def _dial_tcp(origin: Origin, alpn: Sequence[Transport], tls: ssl.SSLContext | None, family: int,
                    address: Any) -> Connection:
    landing = _Landing()
    tcp, _ = await asyncio.get_running_loop().create_connection(
        lambda: landing, address[0], address[1], family=family, ssl=tls,
        server_hostname=None if tls is None else origin.host)
    agreed = alpn[0].value if tls is None else tcp.get_extra_info("ssl_object").selected_alpn_protocol()
    carrier: Http1Connection | Http2Connection
    carrier = Http2Connection(tcp, origin) if agreed == Transport.HTTP2.value else Http1Connection(tcp, origin)
    if carrier.transport not in alpn:
        tcp.abort()
        raise ConnectionError(f"{carrier.transport.value} is all that is spoken here")
    tcp.set_protocol(carrier)
    if landing.early:
        carrier.data_received(bytes(landing.early))
    if landing.lost:
        carrier.connection_lost(None)
    return carrier


class _Landing(asyncio.Protocol):
    """Who reads a connection until it is known which version of HTTP is spoken on it."""

    def __init__(self) -> None:
        self.early = bytearray()
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.early += data

    def connection_lost(self, _fault: Exception | None) -> None:
        self.lost = True


def _words(fault: BaseException) -> str:
    return str(fault) or type(fault).__name__
