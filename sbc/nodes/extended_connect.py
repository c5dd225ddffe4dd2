"""An extended CONNECT (RFC 8441) on a line that many share: a stream that carries bytes as a transport once the other
side has said so. Whose bytes they are, and what an answer means, is for tunnel.py and passage.py to say.

    waiting for a line ──start──> asked ──200──> the stream is a transport
            └─────────────────────────┴──> there will be none; or dropped
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from sbc.model.http import Fields
from sbc.nodes.answer import MOST_INTERIM
from sbc.nodes.passenger import Passenger
from sbc.wire.http2.engine import Engine, H2Error
from sbc.wire.http2.inbound import Carrier
from sbc.wire.http2.stream_transport import StreamTransport

T = TypeVar("T")


class Line(Carrier, Protocol):
    """The connection (nodes/http2.py)."""

    secure: bool

    @property
    def engine(self) -> Engine: ...

    def board(self, passenger: Passenger, fields: Fields, *, end: bool) -> int: ...


class ExtendedConnect(Generic[T]):
    """A Traveller (nodes/traveller.py) and a Passenger (nodes/passenger.py), but for what it asks and what it makes of
    an answer. T: what may come of it. That is told once, unless dropped."""

    __slots__ = ("_interim", "_line", "_number", "_outcome", "_stream", "since")

    def __init__(self, outcome: Callable[[T], None]) -> None:
        self.since = 0.0
        """From when on it waits for a line, by the loop's clock."""
        self._outcome: Callable[[T], None] | None = outcome
        self._line: Line | None = None
        self._number = 0
        self._interim = 0
        self._stream: StreamTransport | None = None
        """What carries the bytes, once it is open."""

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for what comes of it."""
        return self._outcome is not None

    def drop(self) -> None:
        """Nobody waits for it any more."""
        self._outcome = None
        self._reset()

    def fail(self, reason: str, *, reached: bool) -> None:
        """There will be no stream. reached: whether the other side may have seen the request."""
        raise NotImplementedError

    def head(self, fields: Fields, end: bool) -> None:
        """The final head of the answer, pseudo-headers first."""
        raise NotImplementedError

    def _ask(self, line: Line, fields: Fields) -> None:
        """fields: the whole head, pseudo-headers first."""
        self._number = line.board(self, fields, end=False)
        if self._number:
            self._line = line
        else:
            self.fail("the connection takes no such request", reached=True)

    def _open(self, line: Line) -> StreamTransport:
        """The other side has agreed."""
        self._stream = stream = StreamTransport(line, self._number)
        return stream

    def _tell(self, told: T) -> None:
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            outcome(told)

    def _reset(self) -> None:
        line, self._line = self._line, None
        if line is not None and self._stream is None:
            line.engine.reset(self._number, H2Error.CANCEL)
            line.touch()

    # Facts.

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
            self.fail(reason, reached=True)

    def slow(self) -> None:
        if self._stream is not None:
            self._stream.slow()

    def ready(self) -> None:
        if self._stream is not None:
            self._stream.ready()

    def sweep(self, _now: float) -> None:
        """Whoever has the session sees to its silence."""
