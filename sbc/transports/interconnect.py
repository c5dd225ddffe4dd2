"""Where other workers and edges come in with what their clients asked of sessions that are here: HTTP/2, over a Unix
socket or over TLS with certificates of both sides. Each stream says whose request it is (wire/hop.py), and is taken as
if it had come from that client directly.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Protocol, cast
from weakref import WeakSet

from sbc.core.forwarding import BETWEEN_EDGES
from sbc.model.errors import Refusal
from sbc.model.http import Fields, first
from sbc.model.interfaces import Reception
from sbc.model.marking import Mark
from sbc.model.route import Hello
from sbc.tls import Shelf
from sbc.transports.http2 import Http2Connection
from sbc.transports.proxied import address_of
from sbc.wire.hop import ASK, Question, read_hop, read_question
from sbc.wire.http2.engine import Terms
from sbc.wire.http2.refusal import answer_refusal
from sbc.wire.tls_transport import TlsTransport

NAME = "interconnect"
HEIR = "predecessor:"
"""By which name a process inherits the socket at which its predecessor passes on requests; no listener can have it."""
BACKLOG = 4096
HANDSHAKE_TIMEOUT = 10.0
"""Seconds for TLS."""
STREAMS = 256
"""How many requests and WebSockets a connection carries at a time."""
WINDOW = 64 * 1024
"""What one of them may have under way; there is room for the windows of all, so that none holds up another."""
TOLD_OCTETS = 2048
"""How much longer a head may be for what is told of its client."""


def listen_at(path: Path) -> socket:
    """A Unix socket in a directory that nobody else can enter. Raises OSError."""
    sock = socket(AF_UNIX, SOCK_STREAM)
    sock.bind(str(path))
    os.chmod(path, 0o600)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


class Arrivals(Reception, Protocol):
    """What is told of those who come by way of another edge."""

    def knows(self, question: Question, told: Callable[[bool], None]) -> None:
        """Say whether a session is here that is known by one of these keys, now or later."""


class Hops(Http2Connection):
    """One connection of another worker or edge."""

    __slots__ = ("_arrivals",)

    def __init__(self, arrivals: Arrivals, engine: str, secure: bool) -> None:
        """engine: see Http2Connection."""
        super().__init__(arrivals, NAME, secure, "", True, engine)
        self._arrivals = arrivals
        self._budget.shared = True

    def _terms(self) -> Terms:
        return Terms(STREAMS, WINDOW, STREAMS * WINDOW, self._limits[0] + TOLD_OCTETS, extended_connect=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = address_of(transport)
        super().connection_made(transport)

    def mark(self, mark: Mark) -> None:
        """The packets of the client's own connection bear it; this one is of many clients."""

    def head(self, stream: int, fields: Fields, end: bool) -> None:
        asked = first(fields, ASK)
        try:
            if asked is not None:
                self._arrivals.knows(read_question(asked), partial(self._answer, stream))
                return
            hop = read_hop(fields)
        except ValueError as fault:
            self._refuse(stream, str(fault))
            return
        # All of it is read before anything else of this connection is.
        self._client, self._secure, self._listener = hop.client, hop.secure, hop.listener
        self.certificate = hop.certificate
        super().head(stream, [field for field in fields if field[0] not in BETWEEN_EDGES], end)

    def _answer(self, stream: int, known: bool) -> None:
        self.engine.respond(stream, [(b":status", b"204" if known else b"404")], end=True)
        self.touch()

    def _refuse(self, stream: int, why: str) -> None:
        """It does not keep to what is spoken here."""
        self._reception.abused(NAME, "", NAME)
        answer_refusal(self.engine, stream, Refusal(400, NAME, f"not a forwarded request: {why}"))
        self.linger(stream)
        self.touch()


class Gate:
    """Lets other workers and edges in."""

    def __init__(self, arrivals: Arrivals, engine: str) -> None:
        """engine: see Http2Connection."""
        self._arrivals = arrivals
        self._engine = engine
        self._doors: WeakSet[Hops] = WeakSet()
        self._servers: list[asyncio.Server] = []
        self.shelf: Shelf | None = None
        """The certificate that edges are shown, and who vouches for theirs; for connections to come."""

    async def open_to_processes(self, sock: socket) -> None:
        """Take other processes of this edge in on a Unix socket. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_unix_server(self._worker, sock=sock, backlog=BACKLOG))

    async def open_to_edges(self, sock: socket, shelf: Shelf) -> None:
        """Take edges in by TCP. shelf: has to ask for certificates. Raises OSError."""
        self.shelf = shelf
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(self._edge, sock=sock, backlog=BACKLOG))

    def _worker(self) -> asyncio.BaseProtocol:
        return self._door(False)

    def _edge(self) -> asyncio.BaseProtocol:
        assert self.shelf is not None
        deadline = asyncio.get_running_loop().time() + HANDSHAKE_TIMEOUT
        tls = TlsTransport(self._door(True), self.shelf.first, None, deadline, self._failed)
        return cast(asyncio.BaseProtocol, tls)  # by its methods only

    def _door(self, secure: bool) -> Hops:
        door = Hops(self._arrivals, self._engine, secure)
        self._doors.add(door)
        return door

    def _failed(self, error: Exception | None) -> None:
        if isinstance(error, ssl.SSLError | TimeoutError):
            hello = Hello("", "", "", [], True, NAME)
            self._arrivals.refused(Refusal(0, "interconnect_tls", str(error)), hello)

    def retire(self) -> None:
        """Accept no more, and have every connection end once what is under way on it is done."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for door in list(self._doors):
            door.retire()
