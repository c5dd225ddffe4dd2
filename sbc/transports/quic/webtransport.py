"""A WebTransport session as a WebSocket connection, to its session and to its node.

    client's stream, whole ──> a masked frame ──> Link          Link ──> frames ──> a stream for each message
    client's datagram      ──> the same, now                    Link ──> close frame ──> CLOSE_WEBTRANSPORT_SESSION

To the Link it looks like a TCP connection, as a StreamTransport does. Messages keep their order: that of the streams'
numbers, in each direction. What the query of the CONNECT says: `messages=binary`, for messages that are not text;
`datagrams=1`, for a client that would rather miss a message than wait for it.
"""

import asyncio
import os
from collections import deque
from typing import Final, Protocol
from urllib.parse import parse_qs

from sbc.core.frames import Fault as FrameFault
from sbc.core.frames import Opcode, build, close_payload, read_close
from sbc.model.errors import CloseCode
from sbc.model.http import Fields
from sbc.transports.quic.frame_cutter import FrameCutter
from sbc.transports.quic.session_messages import Hold, Incoming, Outgoing
from sbc.wire.http2.carried import CarriedTransport
from sbc.wire.http2.engine import H2Error
from sbc.wire.http2.inbound import Carrier, Inbound
from sbc.wire.http3.capsules import Capsules, close_capsule
from sbc.wire.http3.engine import MOST_DATAGRAM_OCTETS, QuicEngine
from sbc.wire.http3.frames import Fault
from sbc.wire.link import HIGH_WATER_BYTES, LOW_WATER_BYTES

_SESSION_OVER: Final = 1000
"""The close code for a session that ends without one."""
PATIENCE = 30.0
"""How long a client may let no stream be opened for what it is sent, in seconds."""
_COST: Final = 64
"""What a message counts beside its bytes until it is sent."""


class SessionCarrier(Carrier, Protocol):
    """What a session needs of its connection."""

    @property
    def engine(self) -> QuicEngine:
        """What reads and writes the connection."""

    def hand_over(self, stream: int, inbound: Inbound) -> None:
        """From here on a stream's facts are for this one."""


class SessionTransport(CarriedTransport):
    """An asyncio.Transport by its methods; Inbound for the connection, of the CONNECT's stream."""

    __slots__ = ("_afloat", "_capsules", "_cutter", "_datagrams", "_goodbye", "_hold", "_kind", "_outbox", "_slow",
                 "_starved")

    _carrier: SessionCarrier

    def __init__(self, carrier: SessionCarrier, stream: int, query: str) -> None:
        """stream: that of the CONNECT. query: of its path."""
        wishes = parse_qs(query)
        super().__init__(carrier, stream)
        self._kind = Opcode.BINARY if wishes.get("messages") == ["binary"] else Opcode.TEXT
        self._datagrams = wishes.get("datagrams") == ["1"]
        self._hold = Hold(carrier.engine, self)
        self._capsules = Capsules()
        self._cutter = FrameCutter()
        self._outbox: deque[bytes] = deque()
        """Messages for which the client has not let a stream be opened."""
        self._afloat = 0
        """Bytes of messages that are not sent yet, and _COST for each."""
        self._starved: asyncio.TimerHandle | None = None
        """Runs while the client lets no stream be opened."""
        self._slow = False
        self._goodbye = b""
        """The capsule that closes the session, while messages are still to be sent before it."""

    # From the engine, by way of the connection.

    def opened(self, stream: int) -> Incoming:
        """The client has opened a stream of the session: who is told of it."""
        return self._hold.open(stream)

    def datagram(self, data: bytes) -> None:
        """An unreliable message."""
        if not self._hold.paused and not self._closing:
            self.message(data)

    def data(self, data: bytes, end: bool) -> None:
        """A piece of the CONNECT's stream."""
        self._carrier.engine.consume(self._stream, len(data))
        if self._closing:
            return
        try:
            closed = self._capsules.feed(data)
        except Fault:
            self.abort()
            return
        if closed is not None or end:
            self._leave(*(closed or (0, "")))

    def _leave(self, code: int, reason: str) -> None:
        """The client closes the session: to the Link this is a close frame."""
        self._said_all = True  # no capsule is sent in answer
        try:
            read_close(code.to_bytes(2, "big"))
        except (FrameFault, OverflowError):
            code = _SESSION_OVER
        self._give(Opcode.CLOSE, close_payload(code, reason))
        self._carrier.engine.finish(self._stream, [])
        self._carrier.touch()

    def trailers(self, _fields: Fields) -> None:
        """The other side is done: there are no trailers of a session."""
        self.data(b"", True)

    def slow(self) -> None:
        """Hardly anything is sent on the CONNECT's stream."""

    def ready(self) -> None:
        """What the session may have waited for is here: a stream that may be opened, or one that was missing."""
        self._pump()
        self._hold.flow()

    def closed(self) -> None:
        """The session is over, or its whole connection."""
        if self._starved is not None:
            self._starved.cancel()
            self._starved = None
        self._outbox.clear()
        super().closed()

    def _drop(self) -> None:
        self._hold.clear()

    # Messages of the client's.

    def message(self, payload: bytes) -> None:
        """One that is whole, in its turn."""
        self._give(self._kind, payload)

    def overlong(self) -> None:
        """One is longer than any may be."""
        self._hold.clear()
        self._give(Opcode.CLOSE, close_payload(CloseCode.TOO_BIG, "message too long"))

    def flooded(self) -> None:
        """More are begun than any client has need of."""
        self.abort()

    def _give(self, opcode: Opcode, payload: bytes) -> None:
        if not self._closing:
            self._protocol.data_received(build(opcode, payload, os.urandom(4)))

    # For the protocol.

    def write(self, data: bytes) -> None:
        for opcode, payload in self._cutter.cut(data):
            if opcode == Opcode.CLOSE:
                self._part(payload)
            elif opcode == Opcode.PING:
                # Whether the client lives is for QUIC to find out.
                asyncio.get_running_loop().call_soon(self._give, Opcode.PONG, payload)
            elif opcode != Opcode.PONG and not self._said_all:
                self._say(payload)
        self._carrier.touch()

    def _say(self, payload: bytes) -> None:
        if self._datagrams and len(payload) <= MOST_DATAGRAM_OCTETS:
            self._carrier.engine.send_datagram(self._stream, payload)
            return
        self._outbox.append(payload)
        self._afloat += _COST + len(payload)
        self._pump()
        if not self._slow and self._afloat > HIGH_WATER_BYTES:
            self._slow = True
            self._protocol.pause_writing()

    def _pump(self) -> None:
        engine = self._carrier.engine
        while self._outbox:
            stream = engine.open_stream(self._stream, both_ways=True)
            if not stream:
                if self._starved is None:
                    self._starved = asyncio.get_running_loop().call_later(PATIENCE, self.abort)
                return
            if self._starved is not None:
                self._starved.cancel()
                self._starved = None
            payload = self._outbox.popleft()
            self._carrier.hand_over(stream, Outgoing(len(payload), self._sent, self.abort))
            engine.send(stream, payload)
            engine.finish(stream, [])
            engine.reset(stream, H2Error.NO_ERROR)  # nothing is expected on it
        self._carrier.touch()
        if self._goodbye and not self._afloat:
            self._end()

    def _sent(self, octets: int) -> None:
        """A message is on its way."""
        self._afloat -= _COST + octets
        if self._slow and self._afloat <= LOW_WATER_BYTES:
            self._slow = False
            self._protocol.resume_writing()
        if self._goodbye and not self._afloat:
            self._end()

    def _part(self, payload: bytes) -> None:
        """The Link says goodbye: behind the messages, as the client drops what comes after it."""
        if self._said_all:
            return
        code, reason = read_close(payload)
        self._said_all = True
        self._goodbye = close_capsule(code if code != CloseCode.NO_STATUS else _SESSION_OVER, reason)
        if not self._afloat:
            self._end()

    def _end(self) -> None:
        goodbye, self._goodbye = self._goodbye, b""
        self._carrier.engine.send(self._stream, goodbye)
        self._carrier.engine.finish(self._stream, [])
        self._carrier.touch()

    def write_eof(self) -> None:
        """The goodbye is the end."""

    def pause_reading(self) -> None:
        self._hold.paused = True

    def resume_reading(self) -> None:
        if self._hold.paused and not self._closing:
            self._hold.paused = False
            asyncio.get_running_loop().call_soon(self._resumed)

    def _resumed(self) -> None:
        if not self._closing:
            self._hold.flow()
            self._carrier.touch()

    def get_write_buffer_size(self) -> int:
        return self._afloat
