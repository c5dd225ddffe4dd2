"""A client's WebSocket on its way to the worker or edge that has its session: an extended CONNECT (RFC 8441) on the
interconnect, whose stream carries the client's bytes as they are.

    waiting for a line ──start──> asked ──200──> Admitted: the stream is a transport
            └─────────────────────────┴──> Turned away, or Lost; or dropped
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sbc.model.http import Fields, first
from sbc.nodes.answer import MOST_INTERIM
from sbc.nodes.tunnel import Line
from sbc.wire.http2.engine import H2Error
from sbc.wire.http2.stream_transport import StreamTransport

LONGEST_ANSWER = 16 * 1024
"""What is kept of the body of a refusal, in bytes."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The session is open: what the client is to be told, and what carries its bytes."""

    fields: Fields
    transport: asyncio.Transport


@dataclass(frozen=True, slots=True)
class Turned:
    """The owner's own answer: the client is turned away."""

    status: int
    fields: Fields
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer."""

    reason: str


class Passage:
    """A Traveller (nodes/traveller.py) and a Passenger (nodes/passenger.py). What comes of it is told once, unless
    dropped."""

    __slots__ = ("_answer", "_body", "_fields", "_interim", "_line", "_number", "_outcome", "_stream", "since")

    def __init__(self, fields: Fields, outcome: Callable[[Admitted | Turned | Lost], None]) -> None:
        """fields: the whole head, pseudo-headers first."""
        self.since = 0.0
        self._fields = fields
        self._outcome: Callable[[Admitted | Turned | Lost], None] | None = outcome
        self._line: Line | None = None
        self._number = 0
        self._interim = 0
        self._answer: Fields = []
        self._body = bytearray()
        self._stream: StreamTransport | None = None

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for what comes of it."""
        return self._outcome is not None

    def start(self, line: Line) -> None:
        """Ask, on a line that is free."""
        self._number = line.board(self, self._fields, end=False)
        if self._number:
            self._line = line
        else:
            self.fail("the connection takes no such request", reached=True)

    def drop(self) -> None:
        """The client has given up."""
        self._outcome = None
        self._reset()

    def fail(self, reason: str, *, reached: bool) -> None:
        """There will be no answer."""
        self._reset()
        self._tell(Lost(reason))

    def _tell(self, told: Admitted | Turned | Lost) -> None:
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            outcome(told)

    def _reset(self) -> None:
        line, self._line = self._line, None
        if line is not None and self._stream is None:
            line.engine.reset(self._number, H2Error.CANCEL)
            line.touch()

    # Facts.

    def head(self, fields: Fields, end: bool) -> None:
        line = self._line
        if line is None or self._outcome is None:
            return
        if first(fields, b":status") != b"200":
            self._answer = fields
            if end:
                self._turned()
            return
        self._stream = stream = StreamTransport(line, self._number)
        self._tell(Admitted([field for field in fields if field[0] != b":status"], cast(asyncio.Transport, stream)))
        if end:
            stream.data(b"", True)

    def interim(self, _fields: Fields) -> None:
        self._interim += 1
        if self._interim > MOST_INTERIM:
            self.fail("too many interim answers", reached=True)

    def data(self, data: bytes, end: bool) -> None:
        if self._stream is not None:
            self._stream.data(data, end)
            return
        if self._line is not None:
            self._line.engine.consume(self._number, len(data))
        if len(self._body) < LONGEST_ANSWER:
            self._body += data
        if end and self._answer:
            self._turned()

    def _turned(self) -> None:
        status = int(first(self._answer, b":status") or 502)
        self._reset()
        self._tell(Turned(status, [field for field in self._answer if field[0] != b":status"], bytes(self._body)))

    def trailers(self, fields: Fields) -> None:
        if self._stream is not None:
            self._stream.trailers(fields)
        elif self._answer:
            self._turned()

    def closed(self, _code: int, _remote: bool) -> None:
        self._over("the stream was reset")

    def refused(self, reason: str) -> None:
        self._over(reason)

    def lost(self, reason: str) -> None:
        self._over(reason)

    def _over(self, reason: str) -> None:
        self._line = None
        if self._stream is not None:
            self._stream.closed()
        else:
            self._tell(Lost(reason))

    def slow(self) -> None:
        if self._stream is not None:
            self._stream.slow()

    def ready(self) -> None:
        if self._stream is not None:
            self._stream.ready()

    def sweep(self, _now: float) -> None:
        """Whoever has the session sees to its silence."""
