"""The streams of an HTTP/3 connection: which there are, what they hold, how they end, whatever QUIC it runs on."""

from abc import ABC, abstractmethod
from typing import Final

from sbc.wire.http2.engine import HIGH_WATER_BYTES, LOW_WATER_BYTES, H2Error
from sbc.wire.http2.sending import Sending
from sbc.wire.http3.engine import QuicOwner, QuicTerms
from sbc.wire.http3.fields import Coder
from sbc.wire.http3.frames import ANY_REQUEST, Fault, H3Error, from_http3
from sbc.wire.http3.hub import DONE, Reader, Sender
from sbc.wire.http3.one_way import OneWay
from sbc.wire.http3.request_stream import Request

ONE_WAY: Final = 0x2
OURS: Final = 0x1
"""RFC 9000 section 2.1: bits of a stream's number."""
LONGEST_REASON: Final = 100
_MOST_AHEAD: Final = 1000
"""Streams behind one that has not come: it may be late, not for ever."""


class Table(Sending, ABC):
    """The state of a connection, and what ends a stream or all of them."""

    def __init__(self, owner: QuicOwner, terms: QuicTerms) -> None:
        self._owner = owner
        self._terms = terms
        self.coder = Coder(2 * terms.header_octets)
        self.most_block = 2 * terms.header_octets
        self.webtransport = terms.webtransport
        self._over = False
        """Whether the connection is at its end: nothing more is told, no order is taken."""
        self._last_word: tuple[int, str] | None = None
        """What `ended` is still to be told with."""
        self._begun = False
        self._streams: dict[int, Reader | OneWay] = {}
        self._requests = 0
        """How many requests are open."""
        self._sending: dict[int, Sender] = {}
        """Streams with something in the queue, as far as is known."""
        self._closed: list[tuple[int, int]] = []
        """Streams that are over, and their code: not told yet."""
        self._control = 0
        """Our control stream."""
        self._session = -1
        """The stream of the WebTransport session."""
        self._members: set[int] = set()
        """Streams of that session."""
        self._newest = -4
        """The newest request that was told of."""
        self._limit = ANY_REQUEST
        """Requests from here on are refused."""
        self._leaving = False
        self._unconsumed = 0
        self._lowest = [0, ONE_WAY]
        """Of streams that go both ways, and of those that go one way: the first of the client's that nothing is known
        of."""
        self._known: set[int] = set()
        """The client's streams behind that one of which it is known what they are."""
        self._starved = False
        """Whether the session wants to open a stream that the client does not allow yet."""
        self._urged = False
        """Whether the session may have waited for what has come by now."""

    # What a library does.

    @abstractmethod
    def _put(self, stream: int, data: bytes, end: bool) -> None:
        """Queue bytes on a stream."""

    @abstractmethod
    def _cut(self, stream: int, code: int) -> None:
        """RESET_STREAM: drop what is queued. code: an H3Error."""

    @abstractmethod
    def _stop(self, stream: int, code: int) -> None:
        """STOP_SENDING."""

    @abstractmethod
    def _open(self, *, both_ways: bool) -> int:
        """The number of the next stream of our own; negative if the client takes no more of them now."""

    @abstractmethod
    def _can_open(self) -> bool:
        """Whether the client takes one more stream of ours that goes both ways."""

    @abstractmethod
    def _shut(self, code: int, reason: str) -> None:
        """CONNECTION_CLOSE with a code of HTTP/3."""

    @abstractmethod
    def _message(self, data: bytes) -> None:
        """DATAGRAM."""

    @abstractmethod
    def _quiet(self) -> bool:
        """Whether the client has confirmed all that was sent."""

    @abstractmethod
    def queued(self, stream: int) -> int:
        """How many bytes wait on a stream."""

    # Ends.

    def _fail(self, fault: Fault) -> None:
        """Close a connection whose other side broke the protocol."""
        if not self._over:
            self._shut(fault.code, fault.reason)
            self._end(from_http3(fault.code) or H2Error.PROTOCOL_ERROR, fault.reason)

    def _end(self, code: int, reason: str) -> None:
        if not self._over:
            self._clear()
            self._owner.ended(code, reason[:LONGEST_REASON])

    def _clear(self) -> None:
        self._over = True
        self._session = -1
        for table in (self._streams, self._sending, self._members, self._closed):
            table.clear()

    def _settle(self, *, flushed: bool = False) -> None:
        """Tell of what came of the last facts and orders: streams that are over, queues that are long or short again,
        and the end. flushed: whether what was ordered before has just been made datagrams of, as far as may be: only
        then an empty queue means that the end of its stream is on its way, too."""
        if self._last_word is not None:
            last, self._last_word = self._last_word, None
            self._owner.ended(*last)
        if self._sending:
            self._weigh(flushed)
        while self._closed and not self._over:
            closed, self._closed = self._closed, []
            for stream, code in closed:
                self._owner.closed(stream, code, False)
        if self._starved and self._can_open():
            self._starved, self._urged = False, True
        if self._urged:
            self._urged = False
            if self._session >= 0:
                self._owner.ready(self._session)
        if flushed and self._leaving and not self._requests and not self._over and self._quiet():
            self._shut(H3Error.NO_ERROR, "")
            self._end(H2Error.NO_ERROR, "")

    def _know(self, stream: int) -> None:
        """It is known what a stream of the client's is. Raises Fault."""
        kind = stream >> 1 & 1
        if stream != self._lowest[kind]:
            self._known.add(stream)
            if len(self._known) > _MOST_AHEAD:
                raise Fault(H3Error.EXCESSIVE_LOAD, "streams that never come")
            return
        self._lowest[kind] += 4
        while self._lowest[kind] in self._known:  # a gap is closed
            self._known.discard(self._lowest[kind])
            self._lowest[kind] += 4
            self._urged = True

    def _weigh(self, flushed: bool) -> None:
        for key, stream in list(self._sending.items()):
            queued = self.queued(key)
            if stream.slow:
                if queued <= LOW_WATER_BYTES:
                    stream.slow = False
                    self._owner.ready(key)
            elif queued > HIGH_WATER_BYTES and not stream.finished:
                stream.slow = True
                self._owner.slow(key)
            if flushed and not queued and not stream.over:
                self._sending.pop(key, None)
                if stream.finished and (stream.whole or stream.unwanted):
                    self._conclude(stream)

    def received(self, stream: Sender) -> None:
        """The other side's direction of a stream is complete."""
        if stream.finished and stream.id not in self._sending:
            self._conclude(stream)

    def _conclude(self, stream: Sender) -> None:
        """Both directions are complete."""
        self._abandon(stream)
        self._closed.append((stream.id, H2Error.NO_ERROR))

    def _abandon(self, stream: Sender) -> None:
        """A stream is over here, and the other side may not know yet."""
        self._forget(stream)
        if stream.whole:
            self._streams.pop(stream.id, None)
        else:
            self._streams[stream.id] = DONE

    def _forget(self, stream: Sender) -> None:
        """A stream is over."""
        if stream.over:
            return
        stream.over = True
        self._sending.pop(stream.id, None)
        self._members.discard(stream.id)
        if isinstance(stream, Request):
            self._requests -= 1
            if stream.id == self._session:
                self._end_session()

    def _end_session(self) -> None:
        """WebTransport: the session's streams go with it."""
        self._session = -1
        for stream in list(self._members):
            self.break_off(stream, H3Error.WEBTRANSPORT_SESSION_GONE, H2Error.CANCEL)

    def break_off(self, stream: int, code: int, told: int) -> None:
        """End a stream for what came on it. code: an H3Error; told: an H2Error."""
        state = self._streams.get(stream)
        if not isinstance(state, Sender):
            self._stop(stream, code)
        elif not state.over:
            if not state.whole:
                self._stop(stream, code)
            if not state.finished:
                self._cut(stream, code)
            self._abandon(state)
            self._closed.append((stream, told))
