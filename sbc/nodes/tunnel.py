"""The node leg as a WebSocket on a stream of a shared HTTP/2 connection (RFC 8441): what link.py is over HTTP/1.1.

    waiting for a line ──start──> asked ──200──> a Link has the stream
            └─────────────────────────┴──> Failed, or dropped
"""

import asyncio
from typing import Protocol, cast

from sbc.model.http import Fields, first
from sbc.nodes.address import address_of
from sbc.nodes.answer import MOST_INTERIM
from sbc.nodes.link import Dial, Failed, Opened, Outcome, agreement, new_mask
from sbc.nodes.passenger import Passenger
from sbc.wire.http2.engine import Engine, H2Error
from sbc.wire.http2.inbound import Carrier
from sbc.wire.http2.stream_transport import StreamTransport
from sbc.wire.link import Link, LinkOwner


class Line(Carrier, Protocol):
    """The connection (nodes/http2.py)."""

    secure: bool

    @property
    def engine(self) -> Engine: ...

    def board(self, passenger: Passenger, fields: Fields, *, end: bool) -> int: ...


class Tunnel:
    """A Passenger (nodes/passenger.py). The outcome is told exactly once, unless dropped."""

    __slots__ = ("_dial", "_interim", "_line", "_number", "_outcome", "_owner", "_stream", "_tag", "since")

    def __init__(self, dial: Dial, owner: LinkOwner, tag: int, outcome: Outcome) -> None:
        self.since = 0.0
        """From when on it waits for a line, by the loop's clock."""
        self._dial = dial
        self._owner = owner
        self._tag = tag
        self._outcome: Outcome | None = outcome
        self._line: Line | None = None
        self._number = 0
        self._interim = 0
        self._stream: StreamTransport | None = None
        """What the link writes to, once there is one."""

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for this leg."""
        return self._outcome is not None

    def drop(self) -> None:
        """Nobody waits for this leg any more."""
        self._outcome = None
        self._reset()

    def start(self, line: Line) -> None:
        """Ask on a line that is free, and whose node has said what it can do."""
        if not line.engine.extended_connect:
            self.fail("the node takes no WebSocket over HTTP/2", reached=True)
            return
        self._number = line.board(self, _fields(self._dial, line.secure), end=False)
        if self._number:
            self._line = line
        else:
            self.fail("the connection takes no such request", reached=True)

    def fail(self, reason: str, *, reached: bool, status: int = 0) -> None:
        """There will be no leg."""
        outcome, self._outcome = self._outcome, None
        self._reset()
        if outcome is not None:
            outcome(Failed(status, reason, reached))

    def _reset(self) -> None:
        line, self._line = self._line, None
        if line is not None and self._stream is None:
            line.engine.reset(self._number, H2Error.CANCEL)
            line.touch()

    # Facts.

    def head(self, fields: Fields, end: bool) -> None:
        line, outcome = self._line, self._outcome
        if line is None or outcome is None:
            return
        status = int(first(fields, b":status") or 0)
        if status != 200 or end:
            self.fail("the node refused the session", reached=True, status=status)
            return
        agreed = agreement(self._dial, fields)
        if isinstance(agreed, str):
            self.fail(agreed, reached=True)
            return
        self._outcome = None
        self._stream = stream = StreamTransport(line, self._number)
        link = Link(cast(asyncio.Transport, stream), self._owner, self._tag, new_mask)  # one by its methods
        stream.set_protocol(cast(asyncio.BaseProtocol, link))
        outcome(Opened(link, b"", *agreed))

    def interim(self, _fields: Fields) -> None:
        self._interim += 1
        if self._interim > MOST_INTERIM:
            self.fail("too many interim answers", reached=True)

    def data(self, data: bytes, end: bool) -> None:
        if self._stream is not None:
            self._stream.data(data, end)
        elif self._line is not None:
            self._line.engine.consume(self._number, len(data))

    def trailers(self, fields: Fields) -> None:
        if self._stream is not None:
            self._stream.trailers(fields)

    def closed(self, _code: int, _remote: bool) -> None:
        self._line = None
        if self._stream is not None:
            self._stream.closed()
        else:
            self.fail("the node refused the session", reached=True)

    def refused(self, reason: str) -> None:
        self._over(reason)

    def lost(self, reason: str) -> None:
        self._over(reason)

    def _over(self, reason: str) -> None:
        self._line = None
        if self._stream is not None:
            self._stream.closed()
        else:
            self.fail(reason, reached=True)

    def slow(self) -> None:
        if self._stream is not None:
            self._stream.slow()

    def ready(self) -> None:
        if self._stream is not None:
            self._stream.ready()

    def sweep(self, _now: float) -> None:
        """A session sees to its own silence (runtime/sweep.py)."""


def _fields(dial: Dial, secure: bool) -> Fields:
    """RFC 8441 section 4: what the upgrade is over HTTP/1.1, without what HTTP/2 does itself."""
    given = [line.partition(b":") for line in dial.lines.split(b"\r\n") if line]
    sent = [(name.strip().lower(), value.strip()) for name, _, value in given]
    authority = first(sent, b"host") or b""
    sent = [(name, value) for name, value in sent if name != b"host"]
    sent += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in dial.headers]
    sent.append((b"sec-websocket-version", b"13"))
    if dial.protocols:
        sent.append((b"sec-websocket-protocol", ", ".join(dial.protocols).encode("latin-1")))
    if dial.deflate:
        sent.append((b"sec-websocket-extensions", dial.deflate.encode("latin-1")))
    return [
        (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https" if secure else b"http"),
        (b":authority", authority), (b":path", (address_of(dial.url).prefix + dial.target).encode("latin-1")), *sent,
    ]  # fmt: skip
