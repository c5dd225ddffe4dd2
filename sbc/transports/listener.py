"""Listening sockets: one TCP port, plain or TLS, whose connections come in through an Entrance."""

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass
from typing import cast
from weakref import WeakSet

from sbc.model.errors import Refusal
from sbc.model.interfaces import Reception
from sbc.tls import Front, stock
from sbc.transports.entrance import Door, DoorTerms, Entrance
from sbc.transports.proxied import Proxied
from sbc.wire.tls_transport import TlsTransport

BACKLOG = 4096
HANDSHAKE_TIMEOUT = 10.0
"""How long a TLS handshake may take, in seconds."""


@dataclass(frozen=True, slots=True)
class Security:
    """What a TLS listener needs: pairs of certificate and key file, the first for clients that name no server."""

    certificates: tuple[tuple[str, str], ...]
    min_version: str
    protocols: tuple[str, ...]
    """What is offered by ALPN, the best first (entrance.protocols)."""


class Listener:
    """One listener of the configuration."""

    def __init__(
        self, name: str, reception: Reception, security: Security | None, terms: DoorTerms
    ) -> None:
        """Raises OSError or ssl.SSLError if a certificate cannot be used."""
        self.name = name
        self.terms = terms
        """What holds for the connections to come."""
        self.front: Front | None = None
        if security is not None:
            self.front = Front(stock(security.certificates, security.min_version, security.protocols))
        self._reception = reception
        self._doors: WeakSet[Door] = WeakSet()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, inherited: socket.socket | None) -> int:
        """Accept connections, on an inherited socket if there is one; the port. Raises OSError."""
        sock = inherited if inherited is not None else bind(host, port)
        self._server = await asyncio.get_running_loop().create_server(self._enter, sock=sock, backlog=BACKLOG)
        return int(sock.getsockname()[1])

    def _enter(self) -> asyncio.BaseProtocol:
        proxies = self.terms.proxies
        return self._door("") if proxies is None else Proxied(proxies, self._reception, self.name, self._door)

    def _door(self, client: str) -> asyncio.BaseProtocol:
        door = Entrance(self._reception, self.name, self.front is not None, self.terms, client, self._doors)
        if self.front is None:
            return door
        deadline = asyncio.get_running_loop().time() + HANDSHAKE_TIMEOUT
        tls = TlsTransport(door, self.front.shelf.first, None, deadline, self._failed)
        return cast(asyncio.BaseProtocol, tls)  # by its methods only

    def _failed(self, error: Exception | None) -> None:
        """There was no TLS. Who just left again is as little worth a word as on a plain port."""
        if isinstance(error, ssl.SSLError | TimeoutError):
            self._reception.refused(Refusal(0, "tls_handshake", str(error)), None)

    def close(self) -> None:
        """Accept no more; what is open stays open."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def retire(self) -> None:
        """Have every connection end once what is under way on it is done; no more requests are taken."""
        for door in list(self._doors):
            door.retire()


def bind(host: str, port: int) -> socket.socket:
    """A listening-to-be socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from None
    return sock
