"""A connection to a node over HTTP/2: many exchanges at a time, each on a stream of its own.

    OPEN ──GOAWAY, of either side──> LEAVING ──no stream left──> GONE
      └────────────broken───────────────┴──────────────────────────┘

The engine (wire/http2/) knows the protocol; here its bytes come and go, and its facts find their streams.
"""

import asyncio
from typing import Any, Protocol, cast

from sbc.model.http import Fields
from sbc.nodes.errand import Errand
from sbc.nodes.http2_stream import ErrandStream, error_name
from sbc.nodes.passenger import Passenger
from sbc.wire.http2.engine import H2Error, Role, Terms
from sbc.wire.http2.factory import make_engine
from sbc.wire.link import CLOSING, HIGH_WATER_BYTES, LOW_WATER_BYTES

MOST_STREAMS = 256
"""How many streams one connection carries, however many more the node would take."""
LAST_STREAM = 2**30
"""RFC 9113 section 5.1.1: numbers are used up some day; a new connection in time has them all."""
IDLE = 30.0
"""For how many seconds a connection without streams is kept."""

STREAM_WINDOW = 64 * 1024
# What one stream may hold back must not keep the others from being read: room for the windows of all.
_TERMS = Terms(stream_window=STREAM_WINDOW, connection_window=MOST_STREAMS * STREAM_WINDOW)


class Lines(Protocol):
    """Where the line belongs (nodes/lines.py)."""

    def room(self, line: "Http2Line") -> None:
        """It can carry more than it does."""

    def leaving(self, line: "Http2Line") -> None:
        """It takes no new streams any more."""

    def gone(self, line: "Http2Line") -> None:
        """It is closed."""

    def garbage(self) -> None:
        """A node has sent what it should not have."""


class Http2Line(asyncio.Protocol):
    """One connection; implements EngineOwner (wire/http2/engine.py)."""

    __slots__ = ("_congested", "_flushing", "_idle_since", "_leaving", "_lines", "_over", "_streams", "_transport",
                 "engine", "secure")

    def __init__(self, lines: Lines, secure: bool, engine: str) -> None:
        """secure: whether it is over TLS. engine: its name (wire/http2/factory.py)."""
        self.secure = secure
        self.engine = make_engine(engine, Role.CLIENT, self, _TERMS)
        self._lines = lines
        self._transport: asyncio.Transport
        self._streams: dict[int, Passenger] = {}
        self._leaving = False
        self._over = False
        self._congested = False
        self._flushing = False
        """Whether a flush is on its way."""
        self._idle_since = 0.0

    @property
    def free(self) -> bool:
        """Whether it can carry one more. Before the node has said how many it takes, it would refuse some."""
        most = min(self.engine.max_streams, MOST_STREAMS) if self.engine.greeted and not self._leaving else 0
        return len(self._streams) < most

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        self._idle_since = asyncio.get_running_loop().time()
        self.flush()

    def data_received(self, data: bytes) -> None:
        if not self._over:
            self.engine.receive(data)
            self._write()

    def eof_received(self) -> bool:
        self._lose("the node closed the connection")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lose(f"the connection to the node broke: {error}" if error else "the node closed the connection")

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        self._write()

    def flush(self) -> None:
        """Have what was ordered written, with what else is ordered in this turn of the loop."""
        if not self._flushing and not self._over:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._write()

    def _write(self) -> None:
        while not self._over and not self._congested and not self._transport.is_closing():
            out = self.engine.outgoing(HIGH_WATER_BYTES)
            if not out:
                return
            self._transport.write(out)

    # Streams.

    def start(self, errand: Errand) -> None:
        """Carry an errand; the line is free."""
        ErrandStream(self).start(errand)

    def board(self, passenger: Passenger, fields: Fields, *, end: bool) -> int:
        """Open a stream: its number, or 0 if there can be none."""
        number = self.engine.open(fields, end=end)
        if number:
            self._streams[number] = passenger
            self.flush()
            if number >= LAST_STREAM:
                self._leave()
        return number

    def put(self, stream: int, data: bytes) -> None:
        """Send a piece on a stream, with what else is sent in this turn of the loop."""
        self.engine.send(stream, data)
        self.flush()

    def touch(self) -> None:
        """The engine was given an order."""
        self.flush()

    def extra(self, name: str, default: Any) -> Any:
        """What the connection's transport says of itself."""
        return self._transport.get_extra_info(name, default)

    def garbage(self) -> None:
        """The node has sent on a stream what it should not have."""
        self._lines.garbage()

    def alight(self, number: int) -> None:
        """Whoever has the stream is done with it: nothing is told of it any more."""
        if self._streams.pop(number, None) is not None:
            if not self._streams and not self._over:
                self._idle_since = asyncio.get_running_loop().time()
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        if self._over:
            return
        if self._leaving:
            if not self._streams:
                self._part()
        elif self.free:
            self._lines.room(self)

    # Facts of the engine.

    def head(self, stream: int, fields: Fields, end: bool) -> None:
        if (passenger := self._streams.get(stream)) is not None:
            passenger.head(fields, end)

    def interim(self, stream: int, fields: Fields) -> None:
        if (passenger := self._streams.get(stream)) is not None:
            passenger.interim(fields)

    def data(self, stream: int, data: bytes, end: bool) -> None:
        if (passenger := self._streams.get(stream)) is not None:
            passenger.data(data, end)
        else:
            self.engine.consume(stream, len(data))

    def trailers(self, stream: int, fields: Fields) -> None:
        if (passenger := self._streams.get(stream)) is not None:
            passenger.trailers(fields)

    def closed(self, stream: int, code: int, remote: bool) -> None:
        if (passenger := self._streams.get(stream)) is not None:
            self.alight(stream)
            passenger.closed(code, remote)

    def slow(self, stream: int) -> None:
        if (passenger := self._streams.get(stream)) is not None:
            passenger.slow()

    def ready(self, stream: int) -> None:
        if (passenger := self._streams.get(stream)) is not None:
            passenger.ready()

    def settings(self) -> None:
        self._settle()

    def goaway(self, last: int, code: int) -> None:
        self._leave()
        for number in [number for number in self._streams if number > last]:
            passenger = self._streams[number]
            self.alight(number)
            passenger.refused(f"the node takes no more requests on this connection ({error_name(code)})")
        if not self._streams:
            self._part()

    def pong(self) -> None:
        pass

    def ended(self, code: int, reason: str) -> None:
        if code != H2Error.NO_ERROR:
            self._lines.garbage()
        self._close()
        self._lose(f"the connection ended: {error_name(code)} {reason}".rstrip())

    # The end.

    def sweep(self, now: float) -> None:
        """Once a second."""
        for passenger in tuple(self._streams.values()):
            passenger.sweep(now)
        if not self._streams and now - self._idle_since > IDLE:
            self.retire()

    def retire(self) -> None:
        """Take no new streams, and close once none is left."""
        self._leave()
        if not self._streams:
            self._part()

    def drop(self) -> None:
        """Close the connection; nothing is told of what it carried."""
        self._streams.clear()
        self._lose("")

    def _leave(self) -> None:
        if not self._leaving:
            self._leaving = True
            self._lines.leaving(self)

    def _part(self) -> None:
        """Nothing is left to be done."""
        if not self._over:
            self.engine.goaway(H2Error.NO_ERROR)
            self._close()

    def _close(self) -> None:
        """Write what the engine has to say, and close."""
        if self._over:
            return
        self._over = self._leaving = True
        if not self._transport.is_closing():
            self._transport.write(self.engine.outgoing())
            self._transport.close()
            if self._transport.get_write_buffer_size():  # one that reads nothing must not keep it for ever
                asyncio.get_running_loop().call_later(CLOSING, self._transport.abort)
        self._lines.gone(self)

    def _lose(self, reason: str) -> None:
        """Nothing more comes, and nothing more goes."""
        if not self._over:
            self._over = self._leaving = True
            self._transport.abort()
            self._lines.gone(self)
        streams, self._streams = self._streams, {}
        for passenger in streams.values():
            passenger.lost(reason)
