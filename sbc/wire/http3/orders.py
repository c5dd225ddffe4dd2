"""What an owner may order of an HTTP/3 connection, as frames."""

from sbc.model.http import Fields
from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.frames import ANY_REQUEST, Frame, H3Error, frame, to_http3, varint
from sbc.wire.http3.hub import Sender
from sbc.wire.http3.request_stream import Raw, Request
from sbc.wire.http3.table import LONGEST_REASON, ONE_WAY, OURS, Table


class Orders(Table):
    """The orders of QuicEngine but `ping`, those about datagrams and the clock, and those of WebTransport."""

    def _sendable(self, stream: int) -> Sender | None:
        state = self._streams.get(stream)
        return state if isinstance(state, Sender) and not state.finished else None

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

    def _send(self, state: Sender, data: bytes, end: bool) -> None:
        self._put(state.id, data, end)
        state.finished = end
        self._sending[state.id] = state

    def reset(self, stream: int, code: int) -> None:
        state = self._streams.get(stream)
        if not isinstance(state, Sender):
            return
        if state.finished and code == H2Error.NO_ERROR:
            # RFC 9114 section 4.1: the answer is complete, and the rest of the request is not wanted.
            if not state.whole and not state.unwanted:
                self._stop(stream, H3Error.WEBTRANSPORT_APPLICATION if isinstance(state, Raw) else H3Error.NO_ERROR)
                state.unwanted = True
                self._sending[stream] = state
            return
        sent = H3Error.WEBTRANSPORT_APPLICATION if isinstance(state, Raw) else to_http3(code)
        if not stream & ONE_WAY or stream & OURS:
            self._cut(stream, sent)
        if not state.whole:
            self._stop(stream, sent)
        self._abandon(state)
        self._closed.append((stream, code))

    def consume(self, stream: int, octets: int) -> None:
        self._unconsumed -= octets
        state = self._streams.get(stream)
        if isinstance(state, Sender):
            state.unconsumed -= octets

    # The connection.

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
            self._shut(to_http3(code), reason[:LONGEST_REASON])
            self._clear()
            self._last_word = (code, reason)
