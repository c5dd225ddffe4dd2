"""The door of one UDP socket: which connection a datagram is for, and who may open a new one.

    datagram ──known id──> its connection
       └─unknown─> Initial ──> admitted: a new connection │ Retry │ nothing
                   another version ──> Version Negotiation          all else: nothing

Nothing is answered that is shorter than what a client has to send (RFC 9000 section 14.1), and no answer to somebody
unknown is longer than what came, so that nobody can be flooded from here. Ids that lead nowhere are met with silence.
"""

import asyncio
import os
import time
from dataclasses import replace
from socket import socket

from sbc.model.errors import Refusal
from sbc.model.interfaces import Reception
from sbc.model.route import Hello
from sbc.telemetry.metrics import QuicTally
from sbc.transports.quic.admittance import Admittance, Bounds, Verdict, source_of
from sbc.transports.quic.beat import Beat
from sbc.transports.quic.connection import Http3Connection
from sbc.transports.quic.keeper import Manners, Others
from sbc.transports.quic.retry_token import RetryTokens
from sbc.transports.quic.udp import Local, UdpSocket
from sbc.wire.http3.credentials import Credentials
from sbc.wire.http3.engine import Address, Beginning
from sbc.wire.http3.factory import needs_retry
from sbc.wire.http3.invariants import (
    CONNECTION_ID_OCTETS,
    Header,
    Kind,
    read_header,
    retry,
    version_negotiation,
)

LEAST_OCTETS = 1200
"""RFC 9000 section 14.1: a client's first datagram is no shorter."""
LEAST_ID = 8
"""RFC 9000 section 7.2: nor is the id that it makes up."""


class QuicDoor:
    """One UDP port. Implements Receiver for its socket, Doorkeeper for its connections."""

    def __init__(
        self, reception: Reception, manners: Manners, credentials: Credentials, bounds: Bounds, tally: QuicTally
    ) -> None:
        """tally: what is counted here, and at other doors."""
        self.credentials = credentials
        """For the handshakes to come."""
        self.manners = manners
        """For the connections to come."""
        self.others: Others | None = None
        """Who may have the connection that a datagram is for."""
        self.retiring = False
        self.beat = Beat(asyncio.get_running_loop())
        self._tally = tally
        self.port = 0
        self._reception = reception
        self._admittance = Admittance(bounds)
        self._tokens = RetryTokens()
        self._table: dict[bytes, Http3Connection] = {}
        self._connections: set[Http3Connection] = set()
        self._touched: list[Http3Connection] = []
        self._held_up: set[Http3Connection] = set()
        self._udp: UdpSocket

    def start(self, sock: socket) -> int:
        """Serve a bound socket; its port. Raises OSError."""
        self._udp = UdpSocket(sock, self._tally)
        self._udp.start(self)
        self.port = int(self._udp.name[1])
        return self.port

    def read_no_more(self) -> None:
        """Another process reads the socket from here on, and passes on what is for our connections."""
        self._udp.read_no_more()

    @property
    def ids(self) -> list[bytes]:
        """All that lead to a connection here."""
        return list(self._table)

    @property
    def half_open(self) -> list[bytes]:
        """Those of the connections whose clients may still send Initials."""
        return [identity for connection in self._connections if connection.shaking for identity in connection.ids]

    def bound(self, bounds: Bounds) -> None:
        """Let so many in from now on."""
        self._admittance.bounds = bounds

    @property
    def open(self) -> int:
        """How many connections there are."""
        return self._admittance.total

    def retire(self) -> None:
        """Let nobody in any more, and have every connection end once what is under way on it is done; the socket is
        closed behind the last."""
        self.retiring = True
        for connection in list(self._connections):
            connection.retire()
        self._close_if_empty()

    def _close_if_empty(self) -> None:
        if self.retiring and not self._connections:
            self._udp.close()

    def close(self) -> None:
        """End every connection now."""
        self.retiring = True
        for connection in list(self._connections):
            connection.close()
        self._connections.clear()
        self._table.clear()
        self._udp.close()

    # What the socket tells.

    def received(self, datagram: bytes, source: Address, local: Local) -> None:
        if not datagram:
            self._tally.dropped["empty"] += 1
            return
        if datagram[0] & 0x80:
            identity = datagram[6 : 6 + datagram[5]] if len(datagram) > 6 else b""
        else:
            identity = datagram[1 : 1 + CONNECTION_ID_OCTETS]
        connection = self._table.get(identity)
        if connection is None:
            others = self.others
            if others is not None and others.pass_on(self.manners.listener, identity, datagram, source, local):
                return
            connection = self._stranger(datagram, source, local)
            if connection is None:
                return
        self._give(connection, datagram, source, local)

    def passed(self, datagram: bytes, source: Address, local: Local) -> bool:
        """Another process has read a datagram for a connection of ours; whether there is one. `worked` follows."""
        header = read_header(datagram)
        connection = None if header is None else self._table.get(header.destination)
        if connection is not None:
            self._give(connection, datagram, source, local)
        return connection is not None

    def _give(self, connection: Http3Connection, datagram: bytes, source: Address, local: Local) -> None:
        if not connection.touched:
            connection.touched = True
            self._touched.append(connection)
        connection.received(datagram, source, local, time.monotonic())

    def worked(self) -> None:
        touched = self._touched
        try:
            while touched:
                connection = touched.pop()
                connection.touched = False
                connection.worked()
        finally:
            if touched:  # one of them broke: no reason to leave the others unwritten
                asyncio.get_running_loop().call_soon(self.worked)

    def flowing(self) -> None:
        held_up, self._held_up = self._held_up, set()
        for connection in held_up:
            connection.flowing()

    # Strangers.

    def _stranger(self, datagram: bytes, source: Address, local: Local) -> Http3Connection | None:
        """A datagram that is for no connection that there is: the new one that it opens."""
        header = read_header(datagram)
        reason = self._unwanted(datagram, header)
        if reason or header is None:
            self._tally.dropped[reason] += 1
        elif header.kind is Kind.OTHER_VERSION:
            self._tally.negotiations += 1
            self._udp.send([(version_negotiation(header), source)], local)
        else:
            return self._admit(header, source, local)
        return None

    def _unwanted(self, datagram: bytes, header: Header | None) -> str:
        """Why nothing can come of it; empty: something can."""
        if header is None:
            return "malformed"
        if header.kind not in (Kind.INITIAL, Kind.OTHER_VERSION):
            return "unknown"
        if len(datagram) < LEAST_OCTETS:
            return "short"
        if header.kind is Kind.INITIAL and len(header.destination) < LEAST_ID:
            return "malformed"
        return "retiring" if self.retiring else ""

    def _admit(self, header: Header, source: Address, local: Local) -> Http3Connection | None:
        if self._reception.bars(str(source[0]).partition("%")[0], self.manners.listener, proven=False):
            self._tally.dropped["barred"] += 1
            return None
        now = time.monotonic()
        beginning = Beginning(self._new_id(), header.destination, header.source)
        proven = self._tokens.ours(header.token)
        if proven:
            original = self._tokens.open(header.token, header.destination, source, now)
            if original is None:
                self._tally.dropped["token"] += 1
                return None
            beginning = replace(beginning, original=original, retried=header.destination)
        verdict = self._admittance.judge(source_of(source), proven=proven)
        if verdict is Verdict.RETRY or (not proven and needs_retry(self.manners.engine, header)):
            self._send_back(header, source, local, now)
            return None
        if verdict is Verdict.FULL or not self._reception.arrived():
            self._turn_away(source)
            return None
        return self._open(header, source, local, beginning, now)

    def _send_back(self, header: Header, source: Address, local: Local, now: float) -> None:
        retried = self._new_id()
        token = self._tokens.seal(header.destination, retried, source, now)
        self._tally.retries += 1
        self._udp.send([(retry(header, retried, token), source)], local)

    def _turn_away(self, source: Address) -> None:
        self._tally.dropped["full"] += 1
        hello = Hello(source_of(source), "", "", [], True, self.manners.listener)
        self._reception.refused(Refusal(503, "connections", "too many connections", retry_after=1), hello)

    def _open(self, header: Header, source: Address, local: Local, beginning: Beginning,
              now: float) -> Http3Connection:
        self._admittance.begun(source_of(source))
        self._tally.connections += 1
        self._tally.half_open += 1
        connection = Http3Connection(
            self, self._reception, source, local, self.manners, self.credentials, beginning, now)
        self._connections.add(connection)
        self.bind(beginning.connection_id, connection)
        # Where the client's datagrams go until it has heard of ours.
        self.bind(header.destination, connection)
        return connection

    def _new_id(self) -> bytes:
        """The worker's number first, so that several workers can tell whose a datagram is."""
        worker = 0 if self.others is None else self.others.worker
        return bytes([worker]) + os.urandom(CONNECTION_ID_OCTETS - 1)

    # What the connections need.

    def held_up(self, connection: Http3Connection) -> bool:
        if self._udp.blocked:
            self._held_up.add(connection)
        return self._udp.blocked

    def send(self, datagrams: list[tuple[bytes, Address]], local: Local) -> None:
        self._udp.send(datagrams, local)

    def bind(self, connection_id: bytes, connection: Http3Connection) -> None:
        connection.ids.add(connection_id)
        self._table[connection_id] = connection
        if self.others is not None:
            self.others.bound(self.manners.listener, connection_id)

    def unbind(self, connection_id: bytes) -> None:
        connection = self._table.pop(connection_id, None)
        if connection is not None:
            connection.ids.discard(connection_id)
            self._unbound(connection_id)

    def _unbound(self, connection_id: bytes) -> None:
        if self.others is not None:
            self.others.unbound(self.manners.listener, connection_id)

    def shaken(self, connection: Http3Connection) -> None:
        self._tally.handshakes += 1
        self._tally.half_open -= 1
        self._admittance.shaken(source_of(connection.source))

    def moved(self, connection: Http3Connection) -> None:
        self._tally.moves += 1

    def over(self, connection: Http3Connection, *, shaken: bool) -> None:
        self._admittance.gone(source_of(connection.source), shaken=shaken)
        self._tally.connections -= 1
        self._tally.half_open -= not shaken
        self._reception.departed()

    def forget(self, connection: Http3Connection) -> None:
        self._connections.discard(connection)
        self._held_up.discard(connection)
        for identity in connection.ids:
            self._table.pop(identity, None)
            self._unbound(identity)
        connection.ids.clear()
        self._close_if_empty()
