"""What comes on each stream of an HTTP/3 connection, read as the frames of its kind (RFC 9114 sections 4, 6 and 7).

    Request   HEADERS DATA* [HEADERS]        or a stream of a WebTransport session, by its first bytes
    OneWay    a type first: Control, the two of QPACK, a stream of a WebTransport session, or one to be passed over
    Raw       bytes of a WebTransport session        Done    nobody is interested any more
"""

from enum import Enum
from typing import Final, Protocol

from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.fields import Coder, Malformed, TooLarge, check_request, check_trailers
from sbc.wire.http3.frames import (
    OF_HTTP2,
    Fault,
    Frame,
    H3Error,
    StreamType,
    read_settings,
    read_varint,
)

MOST_SETTINGS_OCTETS: Final = 1024
_LONGEST_CONTROL: Final = 16
"""Of a frame that carries one number, in bytes."""
_LONGEST_NUMBER: Final = 18
_MISPLACED: Final = OF_HTTP2 | {
    Frame.CANCEL_PUSH, Frame.SETTINGS, Frame.PUSH_PROMISE, Frame.GOAWAY, Frame.MAX_PUSH_ID,
}  # fmt: skip
"""Frames that must not come on the stream of a request (RFC 9114 section 7.2)."""
_NOT_FOR_CONTROL: Final = OF_HTTP2 | {Frame.DATA, Frame.HEADERS, Frame.PUSH_PROMISE}


class Hub(Protocol):
    """What a stream needs of its connection."""

    coder: Coder
    most_block: int
    """How long an encoded field section may be, in bytes."""
    webtransport: bool

    def told_head(self, stream: "Request", fields: list[tuple[bytes, bytes]], end: bool) -> None:
        """A request is here."""

    def told_data(self, stream: int, data: bytes, end: bool) -> None:
        """A piece of what comes on a stream."""

    def told_trailers(self, stream: int, fields: list[tuple[bytes, bytes]]) -> None:
        """The request is complete, by these."""

    def received(self, stream: "Request | Raw") -> None:
        """The other side's direction of a stream is complete."""

    def break_off(self, stream: int, code: int, told: int) -> None:
        """End a stream for what came on it. code: an H3Error; told: an H2Error."""

    def odd(self) -> None:
        """Something came that carries nothing. Raises Fault if there is too much of it."""

    def belongs(self, stream: int, session: int) -> "Raw | None":
        """A stream of a WebTransport session; None if there is no such session."""

    def take_place(self, stream: int, kind: StreamType) -> None:
        """A stream of which there can be one only. Raises Fault if it is the second."""

    def settled(self, settings: dict[int, int]) -> None:
        """The other side's settings are here. Raises Fault."""

    def leaving(self, last: int) -> None:
        """GOAWAY. Raises Fault."""


class Done:
    """A stream that was given up here: what still comes is of no interest."""

    __slots__ = ()

    def take(self, data: bytes, end: bool) -> None:
        """Nothing."""


DONE: Final = Done()


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


class Sender:
    """The edge's direction of a stream."""

    __slots__ = ("finished", "id", "over", "slow", "unconsumed", "unwanted", "whole")

    def __init__(self, stream: int) -> None:
        self.id = stream
        self.finished = False
        """Whether the edge has said all."""
        self.whole = False
        """Whether the other side has."""
        self.slow = False
        self.unconsumed = 0
        """Bytes that were told of and not consumed."""
        self.over = False
        """Whether nothing more is told of it."""
        self.unwanted = False
        """Whether what may still come is of no interest, and the other side was told so."""


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

    def take(self, data: bytes, end: bool) -> None:
        """Read what comes. Raises Fault."""
        if self._head:
            data, self._head = self._head + data, b""
        at, size = 0, len(data)
        while at < size and not self.over:
            if not self._left:
                kind, after = read_varint(data, at)
                length, after = read_varint(data, after) if after >= 0 else (0, after)
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
        raw = self._hub.belongs(self.id, session)
        if raw is not None:
            raw.take(rest, end)

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

    def _open(self, fields: list[tuple[bytes, bytes]], end: bool) -> None:
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

    def _close(self, fields: list[tuple[bytes, bytes]]) -> None:
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
            self._hub.told_data(self.id, data, True)
            if not self.over:
                self._hub.received(self)
        else:
            self._hub.told_data(self.id, data, False)

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
            self._hub.told_data(self.id, b"", True)
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
        self._hub.told_data(self.id, data, end)
        if end and not self.over:
            self._hub.received(self)


class OneWay:
    """A stream that a client opened in one direction, as long as nothing is known of it."""

    __slots__ = ("_head", "_hub", "_id")

    def __init__(self, hub: Hub, stream: int) -> None:
        self._hub = hub
        self._id = stream
        self._head = b""

    def take(self, data: bytes, end: bool) -> "Control | Coded | Raw | Done | None":
        """What it is, if that is known by now. Raises Fault."""
        self._head += data
        kind, at = read_varint(self._head, 0)
        if at < 0:
            return DONE if end else None
        became: Control | Coded | Raw | Done
        if kind == StreamType.WEBTRANSPORT and self._hub.webtransport:
            session, at = read_varint(self._head, at)
            if at < 0:
                return DONE if end else None
            became = self._hub.belongs(self._id, session) or DONE
        else:
            became = self._known(kind)
        became.take(self._head[at:], end)
        return became

    def _known(self, kind: int) -> "Control | Coded | Done":
        if kind == StreamType.CONTROL:
            self._hub.take_place(self._id, StreamType.CONTROL)
            return Control(self._hub)
        if kind in (StreamType.QPACK_ENCODER, StreamType.QPACK_DECODER):
            self._hub.take_place(self._id, StreamType(kind))
            return Coded(self._hub, kind == StreamType.QPACK_ENCODER)
        if kind == StreamType.PUSH:
            raise Fault(H3Error.STREAM_CREATION_ERROR, "a client cannot push")
        self._hub.break_off(self._id, H3Error.STREAM_CREATION_ERROR, H2Error.NO_ERROR)
        return DONE


class Coded:
    """QPACK's own streams."""

    __slots__ = ("_encoder", "_hub")

    def __init__(self, hub: Hub, encoder: bool) -> None:
        self._hub = hub
        self._encoder = encoder

    def take(self, data: bytes, end: bool) -> None:
        if data and self._encoder:
            self._hub.odd()
            self._hub.coder.instructed(data)
        elif data:
            self._hub.coder.acknowledged(data)
        if end:
            raise Fault(H3Error.CLOSED_CRITICAL_STREAM, "a stream of QPACK has ended")


class Control:
    """The control stream."""

    __slots__ = ("_buffer", "_hub", "_pass", "_settled")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._buffer = b""
        self._pass = 0
        """How much of a frame is still to be passed over."""
        self._settled = False

    def take(self, data: bytes, end: bool) -> None:
        if end:
            raise Fault(H3Error.CLOSED_CRITICAL_STREAM, "the control stream has ended")
        data = self._buffer + data
        at = 0
        while True:
            step = min(self._pass, len(data) - at)
            self._pass -= step
            at += step
            kind, after = read_varint(data, at)
            length, after = read_varint(data, after) if after >= 0 else (0, after)
            if after < 0:
                break
            if self._passes(kind, length):
                self._pass = length
            elif len(data) - after < length:
                break
            else:
                self._frame(kind, data[after : after + length])
                after += length
            at = after
        self._buffer = data[at:]

    def _passes(self, kind: int, length: int) -> bool:
        """Whether a frame is to be passed over."""
        if not self._settled and kind != Frame.SETTINGS:
            raise Fault(H3Error.MISSING_SETTINGS, "no SETTINGS first")
        if kind in _NOT_FOR_CONTROL or (kind == Frame.SETTINGS and self._settled):
            raise Fault(H3Error.FRAME_UNEXPECTED, f"a frame of type {kind:#x} on the control stream")
        if kind == Frame.SETTINGS:
            if length > MOST_SETTINGS_OCTETS:
                raise Fault(H3Error.EXCESSIVE_LOAD, "settings without end")
            return False
        self._hub.odd()
        if kind not in (Frame.GOAWAY, Frame.MAX_PUSH_ID, Frame.CANCEL_PUSH):
            return True
        if length > _LONGEST_CONTROL:
            raise Fault(H3Error.FRAME_ERROR, "a frame that is too long")
        return False

    def _frame(self, kind: int, payload: bytes) -> None:
        if kind == Frame.SETTINGS:
            self._settled = True
            self._hub.settled(read_settings(payload))
            return
        value, at = read_varint(payload, 0)
        if at != len(payload):
            raise Fault(H3Error.FRAME_ERROR, "a frame of one number that is not one")
        if kind == Frame.GOAWAY:
            self._hub.leaving(value)
        elif kind == Frame.CANCEL_PUSH:
            raise Fault(H3Error.ID_ERROR, "there are no pushes to be cancelled")
