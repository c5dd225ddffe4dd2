"""The first moments of a client's connection: which version of HTTP it speaks is found out, and its door takes over.

Over TLS the handshake has settled it (ALPN, RFC 7301). On a plain port a client that speaks HTTP/2 says so with its
first bytes (RFC 9113 section 3.4); all else is HTTP/1.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast
from weakref import WeakSet

from sbc.core.certificates import holder_of
from sbc.model.errors import Refusal
from sbc.model.interfaces import Reception
from sbc.model.route import Hello
from sbc.transports.http1 import Http1Connection
from sbc.transports.http2 import Http2Connection
from sbc.transports.proxied import Proxies, address_of
from sbc.wire.link import Parting
from sbc.wire.upgrade import refusal

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

HTTP1 = frozenset({"http1", "websocket"})
"""The transports that stand on HTTP/1.1."""

Door = Http1Connection | Http2Connection


@dataclass(frozen=True, slots=True)
class DoorTerms:
    """What holds for the connections of a listener."""

    transports: frozenset[str]
    """What is spoken on them."""
    engine: str = "auto"
    """What reads and writes HTTP/2 (wire/http2/factory.py)."""
    proxies: Proxies | None = None
    """Who may begin with the PROXY protocol; None: it is not spoken."""
    quic_engine: str = "auto"
    """What reads and writes QUIC (wire/http3/factory.py)."""
    always_retry: bool = False
    """Whether every client has to show its address before a QUIC handshake."""
    floats: bool = False
    """Whether its address is one that edges share: it may not be here yet."""
    services: bytes = b""
    """What the first answer on each connection says of other ways to come here (RFC 7838); empty: nothing."""


def protocols(transports: frozenset[str]) -> list[str]:
    """What a listener with these transports offers over TLS, the best first."""
    offers = [("h2", "http2" in transports), ("http/1.1", not HTTP1.isdisjoint(transports))]
    return [name for name, served in offers if served]


class Entrance(asyncio.Protocol):
    """One connection, until it is known who takes it."""

    __slots__ = ("_begun", "_client", "_doors", "_listener", "_reception", "_secure", "_terms", "_timer", "_transport")

    def __init__(
        self, reception: Reception, listener: str, secure: bool, terms: DoorTerms, client: str, doors: "WeakSet[Door]"
    ) -> None:
        """client: the address that a proxy speaks for; empty: whoever is there. doors: those that are open; the one
        that is chosen is put in."""
        self._reception = reception
        self._listener = listener
        self._secure = secure
        self._terms = terms
        self._client = client
        self._doors = doors
        self._begun = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._client = self._client or address_of(transport)
        if not self._reception.arrived():
            self._turn_away(Refusal(503, "connections", "too many connections", retry_after=1))
        elif self._secure:
            self._choose(transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2")
        elif "http2" not in self._terms.transports:
            self._choose(False)
        else:
            patience = self._reception.limits()[2]
            self._timer = asyncio.get_running_loop().call_later(patience, self._late)

    def data_received(self, data: bytes) -> None:
        begun = self._begun = self._begun + data if self._begun else data
        if begun.startswith(PREFACE):
            self._choose(True)
        elif not PREFACE.startswith(begun):
            self._choose(False)

    def connection_lost(self, _error: Exception | None) -> None:
        self._stop_timer()
        self._reception.departed()

    def _late(self) -> None:
        self._timer = None
        self._refuse(Refusal(408, "head_timeout", "not a word came in time"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _choose(self, http2: bool) -> None:
        self._stop_timer()
        transports = self._terms.transports
        door: Door
        if http2:
            websocket, engine = "websocket" in transports, self._terms.engine
            door = Http2Connection(self._reception, self._listener, self._secure, self._client, websocket, engine)
        elif HTTP1.isdisjoint(transports):
            self._refuse(Refusal(505, "version", "HTTP/2 is spoken here"))
            return
        else:
            door = Http1Connection(self._reception, self._listener, self._secure, self._client, transports)
        door.services, door.certificate = self._terms.services, self._certificate()
        self._doors.add(door)
        self._transport.set_protocol(cast(asyncio.BaseProtocol, door))  # one by its methods
        door.connection_made(self._transport)
        if self._begun:
            door.data_received(self._begun)

    def _certificate(self) -> str:
        """Whom the client's certificate names; empty: it has shown none."""
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        return holder_of(shown) if shown else ""

    def _refuse(self, refused: Refusal) -> None:
        self._reception.departed()
        self._turn_away(refused)

    def _turn_away(self, refused: Refusal) -> None:
        self._reception.refused(refused, Hello(self._client, "", "", [], self._secure, self._listener))
        self._transport.write(refusal(refused))
        self._transport.set_protocol(Parting(self._transport, None))
