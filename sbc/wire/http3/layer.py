"""HTTP/3 for one connection of a client, whatever QUIC it runs on: an engine is this and a library's connection.

    library's events ──came, was_reset, was_stopped, came_datagram──> HttpLayer ──facts──> QuicOwner
    library's orders <──_put, _cut, _stop, _open, _shut ...────────── HttpLayer <──orders── whoever has the connection

Strict where a lenient reader could be led astray, deaf to what is unknown, and bounded everywhere: what a stream may
hold that was not consumed, how many streams there are, how much may come that carries nothing.
"""

from typing import Final

from sbc.model.http import Fields
from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.engine import MOST_DATAGRAM_OCTETS, QuicOwner, QuicTerms
from sbc.wire.http3.frames import (
    ANY_REQUEST,
    Fault,
    Frame,
    H3Error,
    Setting,
    StreamType,
    from_http3,
    read_varint,
    settings_frame,
    varint,
)
from sbc.wire.http3.hub import DONE, Reader, Sender
from sbc.wire.http3.one_way import Coded, Control, OneWay
from sbc.wire.http3.orders import Orders
from sbc.wire.http3.request_stream import Raw, Request
from sbc.wire.http3.table import ONE_WAY, OURS

_ODDITIES: Final = 100
"""Frames that carry nothing, for each request and beside them."""
_MOST_MEMBERS: Final = 200
"""Streams of a WebTransport session, as far as the edge opens them."""
_MOST_STREAMS: Final = 1000
"""In the table, those that were given up and have not ended yet among them."""


class HttpLayer(Orders):
    """Implements what QuicEngine says of streams and of the connection; of its datagrams and of the clock a subclass
    does."""

    def __init__(self, owner: QuicOwner, terms: QuicTerms) -> None:
        super().__init__(owner, terms)
        self._places: set[StreamType] = set()
        self._their_limit = ANY_REQUEST
        self._oddities = 0
        self._undecided: set[int] = set()
        """Streams of which it is not known yet what they are."""
        self._stream_cap = terms.stream_cap
        self._connection_cap = terms.connection_cap

    def release(self) -> None:
        """See QuicEngine."""
        self._over = True
        self._streams.clear()
        self._sending.clear()
        self._members.clear()
        self._undecided.clear()
        self._closed.clear()
        del self._owner

    # Facts, from the library.

    def _begin(self) -> None:
        """Our control stream and SETTINGS (RFC 9114 section 6.2.1), in the first datagrams: a client that has to know
        what they say before it asks is spared a round trip. Raises Fault."""
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
        if self._control < 0:
            raise Fault(H3Error.STREAM_CREATION_ERROR, "no room for a control stream")
        self._put(self._control, varint(StreamType.CONTROL) + settings_frame(settings), False)

    def _came(self, stream: int, data: bytes, end: bool) -> None:
        """Bytes of a stream, in order. Raises Fault."""
        state = self._streams.get(stream)
        if state is None:
            state = self._enter(stream)
        if isinstance(state, OneWay):
            became = state.become(data, end)
            if became is not None and self._streams.get(stream) is state:
                self._streams[stream] = became
        else:
            state.take(data, end)
        if stream in self._undecided and (end or not isinstance(state, OneWay | Request) or state.decided):
            self._decide(stream)
        if end and self._streams.get(stream) is DONE:
            del self._streams[stream]

    def _decide(self, stream: int) -> None:
        self._undecided.discard(stream)
        self._know(stream)

    def _enter(self, stream: int) -> Reader | OneWay:
        """A stream of which nothing was heard yet. Raises Fault."""
        if stream & OURS:
            return DONE  # one that is over
        if len(self._streams) >= _MOST_STREAMS:
            raise Fault(H3Error.EXCESSIVE_LOAD, "too many streams")
        self._undecided.add(stream)
        state: Reader | OneWay
        if stream & ONE_WAY:
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
        if isinstance(state, Sender) and state.unwanted:
            state.whole = True  # it was asked to, and our direction goes on
            self.received(state)
            return
        if isinstance(state, Sender):
            if not state.finished:
                self._cut(stream, H3Error.REQUEST_CANCELLED)
            self._forget(state)
            self._owner.closed(stream, from_http3(code), True)
        elif state is None or isinstance(state, OneWay):
            self.odd()
        self._streams.pop(stream, None)
        if stream in self._undecided or (state is None and not stream & OURS):
            self._decide(stream)

    def _was_stopped(self, stream: int, code: int) -> None:
        """STOP_SENDING came. Raises Fault."""
        if stream == self._control:
            raise Fault(H3Error.CLOSED_CRITICAL_STREAM, "our control stream is not wanted")
        state = self._streams.get(stream)
        if isinstance(state, Sender):
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

    # Facts, from the streams.

    def told_head(self, stream: Sender, fields: Fields, end: bool) -> None:
        self._newest = max(self._newest, stream.id)
        if (b":protocol", b"webtransport") in fields and self.webtransport:
            if self._session >= 0:
                self.break_off(stream.id, H3Error.REQUEST_REJECTED, H2Error.REFUSED_STREAM)
                return
            self._session = stream.id
        self._owner.head(stream.id, fields, end)

    def told_data(self, stream: Sender, data: bytes, end: bool) -> None:
        octets = len(data)
        if stream.unconsumed + octets > self._stream_cap or self._unconsumed + octets > self._connection_cap:
            self.break_off(stream.id, H3Error.EXCESSIVE_LOAD, H2Error.ENHANCE_YOUR_CALM)
            return
        stream.unconsumed += octets
        self._unconsumed += octets
        self._owner.data(stream.id, data, end)

    def told_trailers(self, stream: int, fields: Fields) -> None:
        self._owner.trailers(stream, fields)

    def odd(self) -> None:
        self._oddities += 1
        if self._oddities > _ODDITIES * (4 + (self._newest >> 2)):
            raise Fault(H3Error.EXCESSIVE_LOAD, "frames that carry nothing")

    def belongs(self, stream: int, session: int) -> Reader:
        self._decide(stream)
        former = self._streams.get(stream)
        if isinstance(former, Request):
            self._requests -= 1
        if session != self._session or self._session < 0:
            self._stop(stream, H3Error.WEBTRANSPORT_BUFFERED_STREAM_REJECTED)
            if not stream & ONE_WAY:
                self._cut(stream, H3Error.WEBTRANSPORT_BUFFERED_STREAM_REJECTED)
            self._streams[stream] = DONE
            return DONE
        raw = Raw(self, stream)
        raw.finished = bool(stream & ONE_WAY)
        self._streams[stream] = raw
        self._members.add(stream)
        self._owner.opened(session, stream)
        return raw

    def take_place(self, stream: int, kind: StreamType) -> None:
        if kind in self._places:
            raise Fault(H3Error.STREAM_CREATION_ERROR, "a second stream of its kind")
        self._places.add(kind)

    def settled(self, settings: dict[int, int]) -> None:
        self._owner.settings()

    def leaving(self, last: int) -> None:
        # RFC 9114 section 5.2: a client's GOAWAY carries a push id, and never a greater one than before.
        if last > self._their_limit and self._their_limit != ANY_REQUEST:
            raise Fault(H3Error.ID_ERROR, "a GOAWAY that takes back another")
        self._their_limit = last
        self._owner.goaway(last, H2Error.NO_ERROR)

    # WebTransport.

    def first_unknown(self, stream: int) -> int:
        return self._lowest[stream >> 1 & 1]

    def open_stream(self, session: int, *, both_ways: bool) -> int:
        may = session == self._session and len(self._members) < _MOST_MEMBERS
        stream = self._open(both_ways=both_ways) if may else -1
        if stream < 0:
            self._starved = session == self._session
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
