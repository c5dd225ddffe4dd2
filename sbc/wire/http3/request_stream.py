"""The stream of a request: HEADERS, DATA and perhaps HEADERS again (RFC 9114 section 4.1). Or, by its first bytes, a
stream of a WebTransport session: bytes that are no frames."""

from enum import Enum
from typing import Final

from sbc.model.http import Fields
from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.fields import Malformed, TooLarge, check_request, check_trailers
from sbc.wire.http3.frames import OF_HTTP2, Fault, Frame, H3Error, read_varint
from sbc.wire.http3.hub import Hub, Sender

_LONGEST_NUMBER: Final = 18
_MISPLACED: Final = OF_HTTP2 | {
    Frame.CANCEL_PUSH, Frame.SETTINGS, Frame.PUSH_PROMISE, Frame.GOAWAY, Frame.MAX_PUSH_ID,
}  # fmt: skip
"""Frames that must not come on the stream of a request (RFC 9114 section 7.2)."""


class Part(Enum):
    """How far a request has come."""

    HEAD = "head"
    BODY = "body"
    COMPLETE = "complete"
    """But for the end of its stream."""


_BODY: Final = Part.BODY
_DATA: Final = 0x0
"""Frame.DATA as the plain number that is read: an enum's member compares at a call's price."""
_HEADERS: Final = 0x1


class Request(Sender):
    """A stream that a client opened in both directions."""

    __slots__ = ("_block", "_head", "_hub", "_kind", "_left", "_owed", "_part", "_tunnel")

    def __init__(self, hub: Hub, stream: int) -> None:
        super().__init__(stream)
        self._hub = hub
        self._part = Part.HEAD
        self._head = b""
        """The first bytes of a frame's head that is not whole yet."""
        self._kind = -1
        self._left = 0
        """How much is missing of the frame that comes now."""
        self._block: bytearray | None = None
        """A field section that is not whole yet."""
        self._owed = -1
        """What is missing of a body whose length was told; below 0: it was not."""
        self._tunnel = False

    @property
    def decided(self) -> bool:
        """Whether it is known by now that it is a request, or none."""
        return self._kind >= 0 or self.over

    def take(self, data: bytes, end: bool) -> None:
        """Read what comes. Raises Fault."""
        if self._head:
            data, self._head = self._head + data, b""
        at, size = 0, len(data)
        while at < size and not self.over:
            if not self._left:
                kind, length, after = _frame_head(data, at)
                if after < 0:
                    self._head = data[at:]
                    break
                at = after
                if kind == Frame.WEBTRANSPORT and self._part is Part.HEAD and self._hub.webtransport:
                    self._join(length, data[at:], end)
                    return
                self._begin(kind, length)
                continue
            step = self._left if self._left <= size - at else size - at
            self._left -= step
            if self._kind == _DATA:
                self._body(data if step == size else data[at : at + step], end and at + step == size)
            elif self._kind == _HEADERS:
                self._collect(data[at : at + step], end and at + step == size)
            at += step
        if end and not self.over and not self.whole:
            self._end()

    def _join(self, session: int, rest: bytes, end: bool) -> None:
        """It is a stream of a WebTransport session, to its end."""
        self.over = True
        self._hub.belongs(self.id, session).take(rest, end)

    def _begin(self, kind: int, length: int) -> None:
        """The head of a frame is here."""
        self._kind, self._left = kind, length
        if kind == _DATA:
            if self._part is not _BODY:
                raise Fault(H3Error.FRAME_UNEXPECTED, "DATA that is not behind a head")
            if not length:
                self._hub.odd()
        elif kind == _HEADERS:
            if self._part is Part.COMPLETE or self._tunnel:
                raise Fault(H3Error.FRAME_UNEXPECTED, "HEADERS behind the end")
            if not length:
                raise Fault(H3Error.QPACK_DECOMPRESSION_FAILED, "an empty field section")
            if length > self._hub.most_block:
                self._refuse(H3Error.EXCESSIVE_LOAD, H2Error.ENHANCE_YOUR_CALM)
        elif kind in _MISPLACED:
            raise Fault(H3Error.FRAME_UNEXPECTED, f"a frame of type {kind:#x} on a request")
        elif self._tunnel and kind == Frame.WEBTRANSPORT:
            raise Fault(H3Error.FRAME_ERROR, "a stream of a session that is none")
        else:
            self._hub.odd()

    def _refuse(self, code: int, told: int) -> None:
        self._hub.break_off(self.id, code, told)

    # Fields.

    def _collect(self, piece: bytes, end: bool) -> None:
        if self._left:
            if self._block is None:
                self._block = bytearray()
            self._block += piece
            return
        if self._block is not None:
            self._block += piece
            piece, self._block = bytes(self._block), None
        try:
            fields = self._hub.coder.decode(self.id, piece)
            if self._part is Part.HEAD:
                self._open(fields, end)
            else:
                self._close(fields)
        except TooLarge:
            self._refuse(H3Error.EXCESSIVE_LOAD, H2Error.ENHANCE_YOUR_CALM)
        except Malformed:
            self._refuse(H3Error.MESSAGE_ERROR, H2Error.PROTOCOL_ERROR)

    def _open(self, fields: Fields, end: bool) -> None:
        check_request(fields)
        special = dict(fields)
        self._tunnel = special[b":method"] == b"CONNECT"
        length = special.get(b"content-length")
        # One that is no proper length, or comes twice, is for the owner to refuse.
        if length is not None and not self._tunnel and length.isdigit() and len(length) <= _LONGEST_NUMBER:
            self._owed = int(length)
        if end and self._owed > 0:
            raise Malformed("a body that does not come")
        self._part = Part.BODY
        self.whole = end
        self._hub.told_head(self, fields, end)
        if end and not self.over:
            self._hub.received(self)

    def _close(self, fields: Fields) -> None:
        check_trailers(fields)
        if self._owed > 0:
            raise Malformed("less than was announced")
        self._part = Part.COMPLETE
        self._hub.told_trailers(self.id, fields)

    # The body.

    def _body(self, data: bytes, end: bool) -> None:
        if self._owed >= 0:
            self._owed -= len(data)
            if self._owed < 0 or (end and self._owed):
                self._refuse(H3Error.MESSAGE_ERROR, H2Error.PROTOCOL_ERROR)
                return
        if end and not self._left:
            self._part = Part.COMPLETE
            self.whole = True
            self._hub.told_data(self, data, True)
            if not self.over:
                self._hub.received(self)
        else:
            self._hub.told_data(self, data, False)

    def _end(self) -> None:
        """The stream has ended behind its last frame, or in the middle of one."""
        if self._left or self._head:
            raise Fault(H3Error.FRAME_ERROR, "a frame that is cut off")
        self.whole = True
        if self._part is Part.HEAD:
            self._refuse(H3Error.REQUEST_INCOMPLETE, H2Error.PROTOCOL_ERROR)
            return
        if self._part is _BODY:
            if self._owed > 0:
                self._refuse(H3Error.MESSAGE_ERROR, H2Error.PROTOCOL_ERROR)
                return
            self._part = Part.COMPLETE
            self._hub.told_data(self, b"", True)
        if not self.over:
            self._hub.received(self)


class Raw(Sender):
    """A stream of a WebTransport session: no frames."""

    __slots__ = ("_hub",)

    def __init__(self, hub: Hub, stream: int) -> None:
        super().__init__(stream)
        self._hub = hub

    def take(self, data: bytes, end: bool) -> None:
        if not data and not end:
            return
        self.whole = end
        self._hub.told_data(self, data, end)
        if end and not self.over:
            self._hub.received(self)


def _frame_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Type and length of the frame at `data[at]`, and where its payload begins; below 0: that is not here yet."""
    if data[at] < 0x40 and at + 2 < len(data):  # as nearly all are
        first = data[at + 1]
        if first < 0x40:
            return data[at], first, at + 2
        if first < 0x80:
            return data[at], (first & 0x3F) << 8 | data[at + 2], at + 3
    kind, after = read_varint(data, at)
    length, after = read_varint(data, after) if after >= 0 else (0, after)
    return kind, length, after
