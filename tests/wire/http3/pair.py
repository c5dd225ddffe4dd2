"""An engine and a library's own client, in memory: a clock that the test turns, datagrams that the test carries."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trustme

from sbc.wire.http3.credentials import Credentials, load_credentials
from sbc.wire.http3.engine import Address, Beginning, QuicTerms
from sbc.wire.http3.factory import make_engine
from sbc.wire.http3.invariants import CONNECTION_ID_OCTETS, read_header
from tests.support.h3_client import LIBRARIES
from tests.wire.http2.pair import REQUEST, Notes

__all__ = ["CLIENT", "DEFAULT", "ENGINES", "REQUEST", "Pair", "QuicNotes", "credentials", "nameless"]

ENGINES = ("qh3", "aioquic")
DEFAULT = QuicTerms(websocket=True, webtransport=True)
CLIENT: Address = ("192.0.2.7", 4000)
_SERVER: Address = ("192.0.2.1", 443)
_STEP = 0.005
"""Seconds that a datagram is under way."""
AUTHORITY = trustme.CA()


def credentials(engine: str, *names: str) -> Credentials:
    """Of a certificate for each name."""
    pairs = []
    with TemporaryDirectory() as room:
        for name in names:
            leaf = AUTHORITY.issue_cert(name)
            cert, key = Path(room, f"{name}.crt"), Path(room, f"{name}.key")
            cert.write_bytes(b"".join([pem.bytes() for pem in leaf.cert_chain_pems]))
            key.write_bytes(leaf.private_key_pem.bytes())
            pairs.append((str(cert), str(key)))
        return load_credentials(engine, pairs)


@cache
def _localhost(engine: str) -> Credentials:
    return credentials(engine, "localhost")


@dataclass
class QuicNotes(Notes):
    """A QuicOwner that takes everything down."""

    names: list[str] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    given_up: set[bytes] = field(default_factory=set)
    moves: list[Address] = field(default_factory=list)
    streams: dict[int, int] = field(default_factory=dict)
    datagrams: list[tuple[int, bytes]] = field(default_factory=list)

    def shaken(self, name: str) -> None:
        self.names.append(name)

    def issued(self, connection_id: bytes) -> None:
        self.ids.add(connection_id)

    def retired(self, connection_id: bytes) -> None:
        self.given_up.add(connection_id)

    def moved(self, source: Address) -> None:
        self.moves.append(source)

    def opened(self, session: int, stream: int) -> None:
        assert stream not in self.streams
        self.streams[stream] = session

    def datagram(self, session: int, data: bytes) -> None:
        self.datagrams.append((session, data))


class Pair:
    """`exchange` carries datagrams until there are none; `came` and `lost` stand in their way."""

    def __init__(self, engine: str, library: str, terms: QuicTerms = DEFAULT, *, shake: bool = True, bare: bool = False,
                 name: str = "localhost", held: Credentials | None = None, versions: list[int] | None = None,
                 **options: Any) -> None:
        """bare: the client has no HTTP/3 of its own; options: of its configuration."""
        self.now = 1000.0
        self.lib = LIBRARIES[library]
        config = self.lib.configuration(
            is_client=True, alpn_protocols=["h3"], server_name=name, max_datagram_frame_size=65536,
            idle_timeout=60.0, **options)
        config.load_verify_locations(cadata=AUTHORITY.cert_pem.bytes())
        self.config = config
        self.quic = self.lib.connection(configuration=config)
        self.h3: Any = None if bare else self.lib.h3(self.quic, enable_webtransport=True)
        if library == "aioquic" and self.h3 is not None:
            self.h3.goaways = []
        self.source = CLIENT
        self.events: list[Any] = []
        """What the client's QUIC has told; with HTTP/3 what that makes of it."""
        self.to_engine: Callable[[bytes], list[bytes]] = lambda datagram: [datagram]
        """What becomes of a datagram on its way."""
        self.notes = QuicNotes()
        if options.get("connection_id_length") == 0:  # aioquic would not make one up for us either
            self.quic._peer_cid.cid = self.quic._original_destination_connection_id = os.urandom(8)
        self.quic.connect(_SERVER, self.now)
        if self.h3 is not None and library == "aioquic":
            self.h3.goaways = []
        self.flight = [data for data, _ in self.quic.datagrams_to_send(self.now)]
        header = read_header(self.flight[0])
        assert header is not None
        self.id = b"\x05" + os.urandom(CONNECTION_ID_OCTETS - 1)
        beginning = Beginning(self.id, header.destination, header.source)
        self.engine = make_engine(engine, self.notes, terms, held or _localhost(engine), beginning)
        self.notes.engine = self.engine  # type: ignore[assignment]
        if shake:
            self.shake()

    def shake(self) -> None:
        """The handshake."""
        for datagram in self.flight:
            self.engine.receive(datagram, self.source, self.now)
        self.exchange()

    def exchange(self, most: int = 400) -> None:
        """Carry all datagrams, and let the clocks go on while there is something to be done soon."""
        for _ in range(most):
            sent = [data for data, _ in self.quic.datagrams_to_send(self.now)]
            said = self.engine.outgoing(self.now)
            self.now += _STEP
            for datagram in sent:
                for piece in self.to_engine(datagram):
                    self.engine.receive(piece, self.source, self.now)
            for datagram, where in said:
                if where == self.source:
                    self.quic.receive_datagram(datagram, _SERVER, self.now)
            self._note()
            if not sent and not said and not self._wait():
                return

    def _wait(self, within: float = 0.2) -> bool:
        """Turn the clock to the next time that somebody waits for, if that is soon."""
        times = [time for time in (self.quic.get_timer(), self.engine.due()) if time is not None]
        if not times or min(times) > self.now + within:
            return False
        self.advance(max(0.0, min(times) - self.now))
        return True

    def advance(self, seconds: float) -> None:
        """So much time passes, and who waited for it is told."""
        self.now += seconds
        for time, ring in ((self.quic.get_timer(), self.quic.handle_timer), (self.engine.due(), self.engine.ring)):
            if time is not None and time <= self.now:
                ring(self.now)
        self._note()

    def _note(self) -> None:
        while (event := self.quic.next_event()) is not None:
            self.events.append(event)
            if self.h3 is not None:
                self.events.extend(self.h3.handle_event(event))

    # What the client does, and what it has seen.

    def ask(self, fields: Any = REQUEST, body: bytes = b"", *, end: bool = True) -> int:
        """A request that has arrived: its stream."""
        stream = int(self.quic.get_next_available_stream_id())
        self.h3.send_headers(stream, fields, end_stream=end and not body)
        if body:
            self.h3.send_data(stream, body, end_stream=end)
        self.exchange()
        return stream

    def raw(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Bytes on a stream, past HTTP/3."""
        self.quic.send_stream_data(stream, data, end)
        self.exchange()

    def seen(self, kind: str, **what: Any) -> list[Any]:
        """Events of a class, with these attributes."""
        return [event for event in self.events if type(event).__name__ == kind
                and all(getattr(event, name) == value for name, value in what.items())]

    def answer(self, stream: int) -> tuple[list[Any], bytes, bool]:
        """Heads and trailers, body, and whether it is complete."""
        heads = [event.headers for event in self.events
                 if type(event).__name__ in ("HeadersReceived", "InformationalHeadersReceived")
                 and event.stream_id == stream]
        parts = self.seen("DataReceived", stream_id=stream)
        ended = any(getattr(event, "stream_ended", False) and getattr(event, "stream_id", -1) == stream
                    for event in self.events)
        return heads, b"".join([part.data for part in parts]), ended

    @property
    def closed(self) -> Any:
        """With what code the client sees the connection closed; None: it is not."""
        ends = self.seen("ConnectionTerminated")
        pending = self.quic._close_event
        return ends[0].error_code if ends else pending.error_code if pending is not None else None



def nameless(engine: str) -> Pair:
    """With a client whose own connection id is empty, as browsers have it. It has not shaken hands."""
    pair = Pair(engine, "aioquic", shake=False, connection_id_length=0)
    pair.quic._replenish_connection_ids = lambda: None
    return pair
