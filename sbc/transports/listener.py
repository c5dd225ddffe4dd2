"""Listening sockets: one TCP port, plain or TLS, whose connections begin on a Doorstep."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from sbc.model.interfaces import Reception
from sbc.tls import Front, stock
from sbc.transports.websocket import Doorstep

BACKLOG = 4096
HANDSHAKE_TIMEOUT = 10.0
"""How long a TLS handshake may take, in seconds."""


@dataclass(frozen=True, slots=True)
class Security:
    """What a TLS listener needs: pairs of certificate and key file, the first for clients that name no server."""

    certificates: tuple[tuple[str, str], ...]
    min_version: str


class Listener:
    """One listener of the configuration."""

    def __init__(self, name: str, reception: Reception, security: Security | None) -> None:
        """Raises OSError or ssl.SSLError if a certificate cannot be used."""
        self.name = name
        self.front: Front | None = None
        if security is not None:
            shelf = stock(security.certificates, security.min_version)
            self.front = Front(shelf, security.min_version, security.certificates)
        self._reception = reception
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, inherited: socket.socket | None) -> int:
        """Accept connections, on an inherited socket if there is one; the port. Raises OSError."""
        sock = inherited if inherited is not None else bind(host, port)
        secure = self.front is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Doorstep(self._reception, self.name, secure), sock=sock, backlog=BACKLOG,
            ssl=self.front.context if self.front else None,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if secure else None,
        )  # fmt: skip
        return int(sock.getsockname()[1])

    def restock(self, certificates: Sequence[tuple[str, str]], min_version: str) -> None:
        """Take new certificates for the handshakes to come. Raises OSError or ssl.SSLError, having changed nothing."""
        assert self.front is not None
        self.front.shelf = stock(certificates, min_version)

    def close(self) -> None:
        """Accept no more; what is open stays open."""
        if self._server is not None:
            self._server.close()
            self._server = None


def bind(host: str, port: int) -> socket.socket:
    """A listening-to-be socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
