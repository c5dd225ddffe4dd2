"""HTTP/3 for one connection of a client, whatever QUIC it runs on: an engine is this and a library's connection.

    library's events ──came, was_reset, was_stopped, came_datagram──> HttpLayer ──facts──> QuicOwner
    library's orders <──_put, _cut, _stop, _open, _shut ...────────── HttpLayer <──orders── whoever has the connection

Strict where a lenient reader could be led astray, deaf to what is unknown, and bounded everywhere: what a stream may
hold that was not consumed, how many streams there are, how much may come that carries nothing.
"""

from abc import abstractmethod
from typing import Final

from sbc.model.http import Fields
from sbc.wire.http2.engine import HIGH_WATER_BYTES, LOW_WATER_BYTES, H2Error
from sbc.wire.http3.engine import MOST_DATAGRAM_OCTETS, QuicOwner, QuicTerms
from sbc.wire.http3.fields import Coder
from sbc.wire.http3.frames import (
    ANY_REQUEST,
    Fault,
    Frame,
    H3Error,
    Setting,
    StreamType,
    frame,
    from_http3,
    read_varint,
    settings_frame,
    to_http3,
    varint,
)
from sbc.wire.http3.streams import DONE, Coded, Control, Done, OneWay, Raw, Request

_ODDITIES: Final = 100
"""Frames that carry nothing, for each request and beside them."""
_MOST_STREAMS: Final = 1000
"""In the table, those that were given up and have not ended yet among them."""
_MOST_MEMBERS: Final = 200
"""Streams of a WebTransport session, as far as the edge opens them."""
_ONE_WAY: Final = 0x2
_OURS: Final = 0x1
"""RFC 9000 section 2.1: bits of a stream's number."""
_LONGEST_REASON: Final = 100


class HttpLayer:
    """Implements what QuicEngine says of streams and of the connection; of its datagrams a subclass."""

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
        self._streams: dict[int, Request | Raw | OneWay | Control | Coded | Done] = {}
        self._requests = 0
        """How many requests are open."""
        self._sending: dict[int, Request | Raw] = {}
        """Streams with something in the queue, as far as is known."""
        self._closed: list[tuple[int, int]] = []
        """Streams that are over, and their code: not told yet."""
        self._places: dict[StreamType, int] = {}
        self._control = 0
        self._session = -1
        """The stream of the WebTransport session."""
        self._members: set[int] = set()
        """Streams of that session."""
        self._newest = -4
        """The newest request that was told of."""
        self._limit = ANY_REQUEST
        """Requests from here on are refused."""
        self._their_limit = ANY_REQUEST
        self._leaving = False
        self._oddities = 0
        self._unconsumed = 0

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

    # Facts, from the library.

    def _begin(self) -> None:
        """The handshake lets us speak: a control stream with our SETTINGS (RFC 9114 section 6.2.1)."""
        if self._begun:
            return
        self._begun = True
        settings: dict[int, int] = {
            Setting.QPACK_MAX_TABLE_CAPACITY: 0, Setting.QPACK_BLOCKED_STREAMS: 0,
            Setting.MAX_FIELD_SECTION_SIZE: self._terms.header_octets,
        }  # fmt: skip
        if self._terms.websocket or self._terms.webtransport:
            settings[Setting.ENABLE_CONNECT_PROTOCOL] = 1
        if self._terms.webtransport:
            settings |= {Setting.H3_DATAGRAM: 1, Setting.WEBTRANSPORT_DRAFT_02: 1, Setting.WEBTRANSPORT_MAX_SESSIONS: 1}
        self._control = self._open(both_ways=False)
        self._put(self._control, varint(StreamType.CONTROL) + settings_frame(settings), False)

    def _came(self, stream: int, data: bytes, end: bool) -> None:
        """Bytes of a stream, in order. Raises Fault."""
        state = self._streams.get(stream)
        if state is None:
            state = self._enter(stream)
        if type(state) is OneWay:
            became = state.take(data, end)
            if became is not None and self._streams.get(stream) is state:
                self._streams[stream] = became
        else:
            state.take(data, end)
        if end and type(self._streams.get(stream)) is Done:
            del self._streams[stream]

    def _enter(self, stream: int) -> Request | OneWay | Done:
        """A stream of which nothing was heard yet. Raises Fault."""
        if stream & _OURS:
            return DONE  # one that is over
        if len(self._streams) >= _MOST_STREAMS:
            raise Fault(H3Error.EXCESSIVE_LOAD, "too many streams")
        state: Request | OneWay | Done
        if stream & _ONE_WAY:
            state = OneWay(self, stream)
        elif stream >= self._limit or self._requests >= self._terms.max_streams:
            self._cut(stream, H3Error.REQUEST_REJECTED)
            self._stop(stream, H3Error.REQUEST_REJECTED)
            state = DONE
        else:
            state = Request(self, stream)
            self._requests += 1
        self._streams[stream] = state
        return state

    def _was_reset(self, stream: int, code: int) -> None:
        """RESET_STREAM came. Raises Fault."""
        state = self._streams.get(stream)
        if isinstance(state, Control | Coded):
            raise Fault(H3Error.CLOSED_CRITICAL_STREAM, "a stream that has to stay was reset")
        if isinstance(state, Request | Raw):
            if not state.finished:
                self._cut(stream, H3Error.REQUEST_CANCELLED)
            self._forget(state)
            self._owner.closed(stream, from_http3(code), True)
        self._streams.pop(stream, None)

    def _was_stopped(self, stream: int, code: int) -> None:
        """STOP_SENDING came. Raises Fault."""
        if stream == self._control:
            raise Fault(H3Error.CLOSED_CRITICAL_STREAM, "our control stream is not wanted")
        state = self._streams.get(stream)
        if isinstance(state, Request | Raw):
            self._cut(stream, H3Error.REQUEST_CANCELLED)
            if not state.whole:
                self._stop(stream, H3Error.REQUEST_CANCELLED)
            self._abandon(state)
            self._owner.closed(stream, from_http3(code), True)

    def _came_datagram(self, data: bytes) -> None:
        """Raises Fault."""
        quarter, at = read_varint(data, 0)
        if at < 0:
            raise Fault(H3Error.DATAGRAM_ERROR, "a datagram without its stream")
        # RFC 9297 section 2.1: of a stream that is over, or not known yet, it is dropped.
        if quarter * 4 == self._session:
            self._owner.datagram(self._session, data[at:])

    def _fail(self, fault: Fault) -> None:
        """Close a connection whose other side broke the protocol."""
        if not self._over:
            self._shut(fault.code, fault.reason)
            self._end(from_http3(fault.code) or H2Error.PROTOCOL_ERROR, fault.reason)

    def _end(self, code: int, reason: str) -> None:
        if not self._over:
            self._clear()
            self._owner.ended(code, reason[:_LONGEST_REASON])

    def _clear(self) -> None:
        self._over = True
        self._session = -1
        for table in (self._streams, self._sending, self._members, self._closed):
            table.clear()

    def _settle(self) -> None:
        """Tell of what came of the last facts and orders: streams that are over, queues that are long or short again,
        and the end."""
        if self._last_word is not None:
            last, self._last_word = self._last_word, None
            self._owner.ended(*last)
        if self._sending:
            self._weigh()
        while self._closed and not self._over:
            closed, self._closed = self._closed, []
            for stream, code in closed:
                self._owner.closed(stream, code, False)
        if self._leaving and not self._requests and not self._over and self._quiet():
            self._shut(H3Error.NO_ERROR, "")
            self._end(H2Error.NO_ERROR, "")

    def _weigh(self) -> None:
        for key, stream in list(self._sending.items()):
            queued = self.queued(key)
            if stream.slow:
                if queued <= LOW_WATER_BYTES:
                    stream.slow = False
                    self._owner.ready(key)
            elif queued > HIGH_WATER_BYTES and not stream.finished:
                stream.slow = True
                self._owner.slow(key)
            if not queued and not stream.over:
                self._sending.pop(key, None)
                if stream.finished and (stream.whole or stream.unwanted):
                    self._conclude(stream)

    def _conclude(self, stream: Request | Raw) -> None:
        """Both directions are complete."""
        self._abandon(stream)
        self._closed.append((stream.id, H2Error.NO_ERROR))

    def _forget(self, stream: Request | Raw) -> None:
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

    def _abandon(self, stream: Request | Raw) -> None:
        """A stream is over here, and the other side may not know yet."""
        self._forget(stream)
        if stream.whole:
            self._streams.pop(stream.id, None)
        else:
            self._streams[stream.id] = DONE

    # Facts, from the streams.

    def told_head(self, stream: Request, fields: Fields, end: bool) -> None:
        self._newest = max(self._newest, stream.id)
        if (b":protocol", b"webtransport") in fields and self.webtransport:
            if self._session >= 0:
                self.break_off(stream.id, H3Error.REQUEST_REJECTED, H2Error.REFUSED_STREAM)
                return
            self._session = stream.id
        self._owner.head(stream.id, fields, end)

    def told_data(self, stream: int, data: bytes, end: bool) -> None:
        state = self._streams[stream]
        if data and isinstance(state, Request | Raw):
            state.unconsumed += len(data)
            self._unconsumed += len(data)
            if state.unconsumed > self._terms.stream_cap or self._unconsumed > self._terms.connection_cap:
                self._unconsumed -= len(data)
                self.break_off(stream, H3Error.EXCESSIVE_LOAD, H2Error.ENHANCE_YOUR_CALM)
                return
        self._owner.data(stream, data, end)

    def told_trailers(self, stream: int, fields: Fields) -> None:
        self._owner.trailers(stream, fields)

    def received(self, stream: Request | Raw) -> None:
        if stream.finished and stream.id not in self._sending:
            self._conclude(stream)

    def break_off(self, stream: int, code: int, told: int) -> None:
        state = self._streams.get(stream)
        if not isinstance(state, Request | Raw):
            self._stop(stream, code)
        elif not state.over:
            if not state.whole:
                self._stop(stream, code)
            if not state.finished:
                self._cut(stream, code)
            self._abandon(state)
            self._closed.append((stream, told))

    def odd(self) -> None:
        self._oddities += 1
        if self._oddities > _ODDITIES * (2 + (self._newest >> 2)):
            raise Fault(H3Error.EXCESSIVE_LOAD, "frames that carry nothing")

    def belongs(self, stream: int, session: int) -> Raw | None:
        former = self._streams.get(stream)
        if isinstance(former, Request):
            self._requests -= 1
        if session != self._session or self._session < 0:
            self._stop(stream, H3Error.WEBTRANSPORT_BUFFERED_STREAM_REJECTED)
            if not stream & _ONE_WAY:
                self._cut(stream, H3Error.WEBTRANSPORT_BUFFERED_STREAM_REJECTED)
            self._streams[stream] = DONE
            return None
        raw = Raw(self, stream)
        raw.finished = bool(stream & _ONE_WAY)
        self._streams[stream] = raw
        self._members.add(stream)
        self._owner.opened(session, stream)
        return raw

    def take_place(self, stream: int, kind: StreamType) -> None:
        if kind in self._places:
            raise Fault(H3Error.STREAM_CREATION_ERROR, "a second stream of its kind")
        self._places[kind] = stream

    def settled(self, settings: dict[int, int]) -> None:
        self._owner.settings()

    def leaving(self, last: int) -> None:
        # RFC 9114 section 5.2: a client's GOAWAY carries a push id, and never a greater one than before.
        if last > self._their_limit and self._their_limit != ANY_REQUEST:
            raise Fault(H3Error.ID_ERROR, "a GOAWAY that takes back another")
        self._their_limit = last
        self._owner.goaway(last, H2Error.NO_ERROR)

    def _end_session(self) -> None:
        """WebTransport: the session's streams go with it."""
        self._session = -1
        for stream in list(self._members):
            self.break_off(stream, H3Error.WEBTRANSPORT_SESSION_GONE, H2Error.CANCEL)

    # Orders.

    def _sendable(self, stream: int) -> Request | Raw | None:
        state = self._streams.get(stream)
        if isinstance(state, Request | Raw) and not state.finished and not self._over:
            return state
        return None

    def inform(self, stream: int, fields: Fields) -> None:
        self._say(stream, fields, False)

    def respond(self, stream: int, fields: Fields, *, end: bool) -> None:
        self._say(stream, fields, end)

    def _say(self, stream: int, fields: Fields, end: bool) -> None:
        """Send a field section."""
        state = self._sendable(stream)
        if state is None:
            return
        block = self.coder.encode(stream, fields)
        if block:
            self._send(state, frame(Frame.HEADERS, block), end)
        else:
            self.reset(stream, H2Error.INTERNAL_ERROR)

    def send(self, stream: int, data: bytes) -> None:
        state = self._sendable(stream)
        if state is not None and data:
            if type(state) is Request:
                data = b"\x00" + varint(len(data)) + data
            self._send(state, data, False)

    def finish(self, stream: int, trailers: Fields) -> None:
        if trailers:
            self._say(stream, trailers, True)
        elif (state := self._sendable(stream)) is not None:
            self._send(state, b"", True)

    def _send(self, state: Request | Raw, data: bytes, end: bool) -> None:
        self._put(state.id, data, end)
        state.finished = end
        self._sending[state.id] = state

    def reset(self, stream: int, code: int) -> None:
        state = self._streams.get(stream)
        if not isinstance(state, Request | Raw) or self._over:
            return
        if state.finished and code == H2Error.NO_ERROR:
            # RFC 9114 section 4.1: the answer is complete, and the rest of the request is not wanted.
            if not state.whole and not state.unwanted:
                self._stop(stream, H3Error.NO_ERROR)
                state.unwanted = True
                self._sending[stream] = state
            return
        sent = H3Error.WEBTRANSPORT_APPLICATION if isinstance(state, Raw) else to_http3(code)
        if not stream & _ONE_WAY or stream & _OURS:
            self._cut(stream, sent)
        if not state.whole:
            self._stop(stream, sent)
        self._abandon(state)
        self._closed.append((stream, code))

    def consume(self, stream: int, octets: int) -> None:
        self._unconsumed -= octets
        state = self._streams.get(stream)
        if isinstance(state, Request | Raw):
            state.unconsumed -= octets

    def notice(self) -> None:
        self._say_goaway(ANY_REQUEST)

    def goaway(self, code: int) -> None:
        self._limit = min(self._limit, self._newest + 4)
        self._leaving = True
        self._say_goaway(self._limit)

    def _say_goaway(self, limit: int) -> None:
        if self._begun and not self._over:
            self._put(self._control, frame(Frame.GOAWAY, varint(limit)), False)

    def close(self, code: int, reason: str) -> None:
        if not self._over:
            self._shut(to_http3(code), reason[:_LONGEST_REASON])
            self._clear()
            self._last_word = (code, reason)

    # WebTransport.

    def open_stream(self, session: int, *, both_ways: bool) -> int:
        may = session == self._session and len(self._members) < _MOST_MEMBERS
        stream = self._open(both_ways=both_ways) if may else -1
        if stream < 0:
            return 0
        raw = Raw(self, stream)
        raw.whole = not both_ways
        self._streams[stream] = raw
        self._members.add(stream)
        kind = Frame.WEBTRANSPORT if both_ways else StreamType.WEBTRANSPORT
        self._put(stream, varint(kind) + varint(session), False)
        return stream

    def send_datagram(self, session: int, data: bytes) -> None:
        if session == self._session and len(data) <= MOST_DATAGRAM_OCTETS:
            self._message(varint(session >> 2) + data)
