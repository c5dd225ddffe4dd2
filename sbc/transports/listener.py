"""Listening sockets, one port: by TCP, plain or TLS, connections come in through an Entrance; by UDP, a QuicDoor."""

import asyncio
import socket
import ssl
from dataclasses import dataclass, replace
from typing import cast
from weakref import WeakSet

from sbc.model.errors import Refusal
from sbc.model.interfaces import Reception
from sbc.model.route import Hello
from sbc.telemetry.metrics import QuicTally
from sbc.tls import Front, Shelf, Vouching, stock
from sbc.transports.entrance import Door, DoorTerms, Entrance
from sbc.transports.proxied import Proxied, address_of
from sbc.transports.quic.admittance import Bounds
from sbc.transports.quic.door import QuicDoor
from sbc.transports.quic.keeper import Manners, Others
from sbc.transports.sockets import Sockets
from sbc.transports.threshold import Threshold
from sbc.wire.http3.credentials import Credentials, load_credentials
from sbc.wire.tls_transport import TlsTransport

BACKLOG = 4096
HANDSHAKE_TIMEOUT = 10.0
"""How long a TLS handshake may take, in seconds."""
ADVERTISED = 86_400
"""How long clients may remember that there is HTTP/3 (RFC 7838), in seconds."""
WITHDRAWN = b"clear"


@dataclass(frozen=True, slots=True)
class Security:
    """What a TLS listener needs: pairs of certificate and key file, the first for clients that name no server."""

    certificates: tuple[tuple[str, str], ...]
    min_version: str
    protocols: tuple[str, ...]
    """What is offered by ALPN, the best first (entrance.protocols)."""
    vouching: Vouching | None = None
    """None: clients are not asked for certificates."""

    def stock(self) -> Shelf:
        """Load it. Raises OSError or ssl.SSLError."""
        return stock(self.certificates, self.min_version, self.protocols, self.vouching)


class Listener:
    """One listener of the configuration."""

    def __init__(
        self, name: str, reception: Reception, security: Security | None, terms: DoorTerms, tally: QuicTally,
        others: Others | None = None,
    ) -> None:  # fmt: skip
        """tally: where QUIC is counted. others: the processes that may have the connection that a datagram is for.
        Raises OSError or ssl.SSLError if a certificate cannot be used."""
        self.name = name
        self.terms = terms
        """What holds for the connections to come."""
        self.front: Front | None = None
        self.quic: QuicDoor | None = None
        """What serves QUIC here, once it is started."""
        self._credentials: Credentials | None = None
        if security is not None:
            self.front = Front(security.stock())
            if "quic" in terms.transports:
                self._credentials = quic_credentials(security, terms)
        self._reception = reception
        self._tally = tally
        self.others = others
        self._doors: WeakSet[Door] = WeakSet()
        self._former: list[QuicDoor] = []
        """Those that let nobody in any more, until their last connection is gone."""
        self._server: asyncio.Server | None = None
        self.sockets = Sockets()
        """Those it serves on."""

    async def start(self, sockets: Sockets) -> int:
        """Accept connections, on bound sockets; the port. Raises OSError."""
        port = 0
        self.sockets = sockets
        if sockets.stream is not None:
            port = int(sockets.stream.getsockname()[1])
            self._server = await asyncio.get_running_loop().create_server(
                self._enter, sock=sockets.stream, backlog=BACKLOG)
        if sockets.datagrams is not None and self._credentials is not None:
            port = self.open_quic(sockets.datagrams, self._credentials)
        return port

    # TCP.

    def _enter(self) -> asyncio.BaseProtocol:
        proxies = self.terms.proxies
        if proxies is not None:
            return Proxied(proxies, self._reception, self.name, self._door)
        door = self._door("")
        return Threshold(self._reception, self.name, door) if self._reception.wary else door

    def _door(self, client: str) -> asyncio.BaseProtocol:
        door = Entrance(self._reception, self.name, self.front is not None, self.terms, client, self._doors)
        if self.front is None:
            return door
        deadline = asyncio.get_running_loop().time() + HANDSHAKE_TIMEOUT
        tls = TlsTransport(door, self.front.shelf.first, None, deadline, lambda error: self._failed(error, client, tls))
        return cast(asyncio.BaseProtocol, tls)  # by its methods only

    def _failed(self, error: Exception | None, client: str, tls: TlsTransport) -> None:
        """There was no TLS. Who just left again is as little worth a word as on a plain port."""
        if isinstance(error, ssl.SSLError | TimeoutError):
            client = client or address_of(cast(asyncio.BaseTransport, tls))
            hello = Hello(client, "", "", [], True, self.name)
            self._reception.refused(Refusal(0, "tls_handshake", str(error)), hello)

    # QUIC.

    def open_quic(self, sock: socket.socket, credentials: Credentials) -> int:
        """Serve QUIC on a bound socket, and say so to those who come by TCP; the port. Raises OSError."""
        terms = self.terms
        manners = Manners(self.name, terms.quic_engine, "websocket" in terms.transports)
        self.quic = QuicDoor(self._reception, manners, credentials, _bounds_of(terms), self._tally)
        self.quic.others = self.others
        port = self.quic.start(sock)
        self.sockets = replace(self.sockets, datagrams=sock)
        self.set_terms(terms)
        return port

    def close_quic(self) -> None:
        """Let nobody in by QUIC any more; what is open there ends when it is done."""
        if self.quic is not None:
            self._former.append(self.quic)
            self.quic.retire()
            self.quic = None
            self.sockets = replace(self.sockets, datagrams=None)
            self._withdraw()
            self.set_terms(self.terms)

    def set_terms(self, terms: DoorTerms) -> None:
        """What holds for the connections to come from now on."""
        services = b""
        if self.quic is not None:
            self.quic.manners = replace(self.quic.manners, websocket="websocket" in terms.transports)
            self.quic.bound(_bounds_of(terms))
            services = b'h3=":%d"; ma=%d' % (self.quic.port, ADVERTISED)
        self.terms = replace(terms, services=services)

    def _withdraw(self) -> None:
        """Tell those who were told of QUIC that there is none any more."""
        for door in list(self._doors):
            door.services = WITHDRAWN

    # The end.

    def close(self) -> None:
        """Accept no more; what is open stays open."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def retire(self, *, lingering: bool = False) -> None:
        """Have every connection end once what is under way on it is done; no more requests are taken. lingering: but
        one that a client may have sent already."""
        self.close_quic()
        for door in list(self._doors):
            door.retire(lingering=lingering)

    @property
    def quic_doors(self) -> list[QuicDoor]:
        """All that have connections."""
        return self._former if self.quic is None else [*self._former, self.quic]

    @property
    def parting(self) -> bool:
        """Whether there are connections by QUIC that have not ended yet."""
        return any(door.open for door in self._former)

    def end(self) -> None:
        """End what is left of QUIC, now."""
        self.close_quic()
        for door in self._former:
            door.close()
        self._former.clear()


def _bounds_of(terms: DoorTerms) -> Bounds:
    return Bounds(unproven=0) if terms.always_retry else Bounds()


def quic_credentials(security: Security, terms: DoorTerms) -> Credentials:
    """The certificates of a listener as its QUIC engine takes them. Raises OSError or ssl.SSLError."""
    try:
        return load_credentials(terms.quic_engine, security.certificates)
    except ValueError as fault:
        raise ssl.SSLError(f"for QUIC: {fault}") from None
