"""Streams that go one way, from the client: their type comes first (RFC 9114 section 6.2)."""

from typing import Final

from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.frames import OF_HTTP2, Fault, Frame, H3Error, StreamType, read_settings, read_varint
from sbc.wire.http3.hub import DONE, Hub, Reader
from sbc.wire.http3.pieces import Pieces

MOST_SETTINGS_OCTETS: Final = 1024
_LONGEST_CONTROL: Final = 16
"""Of a frame that carries one number, in bytes."""
_NOT_FOR_CONTROL: Final = OF_HTTP2 | {Frame.DATA, Frame.HEADERS, Frame.PUSH_PROMISE}


class OneWay:
    """A stream that a client opened in one direction, as long as nothing is known of it."""

    __slots__ = ("_head", "_hub", "_id", "decided")

    def __init__(self, hub: Hub, stream: int) -> None:
        self._hub = hub
        self._id = stream
        self._head = b""
        self.decided = False
        """Whether it is known by now what it is."""

    def become(self, data: bytes, end: bool) -> Reader | None:
        """What it is, if that is known by now; the bytes are read. Raises Fault."""
        self._head += data
        kind, at = read_varint(self._head, 0)
        if at < 0:
            return DONE if end else None
        if kind == StreamType.WEBTRANSPORT and self._hub.webtransport:
            session, at = read_varint(self._head, at)
            if at < 0:
                return DONE if end else None
            became = self._hub.belongs(self._id, session)
        else:
            became = self._known(kind)
        self.decided = True
        became.take(self._head[at:], end)
        return became

    def _known(self, kind: int) -> Reader:
        if kind == StreamType.CONTROL:
            self._hub.take_place(self._id, StreamType.CONTROL)
            return Control(self._hub)
        if kind in (StreamType.QPACK_ENCODER, StreamType.QPACK_DECODER):
            self._hub.take_place(self._id, StreamType(kind))
            return Coded(self._hub, kind == StreamType.QPACK_ENCODER)
        if kind == StreamType.PUSH:
            raise Fault(H3Error.STREAM_CREATION_ERROR, "a client cannot push")
        self._hub.odd()
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

    __slots__ = ("_hub", "_pieces", "_pushes", "_settled")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._pieces = Pieces()
        self._settled = False
        self._pushes = 0
        """The last MAX_PUSH_ID."""

    def take(self, data: bytes, end: bool) -> None:
        if end:
            raise Fault(H3Error.CLOSED_CRITICAL_STREAM, "the control stream has ended")
        for kind, payload in self._pieces.cut(data, self._wanted):
            self._frame(kind, payload)

    def _wanted(self, kind: int, length: int) -> bool:
        """Whether a frame is not to be passed over."""
        if not self._settled and kind != Frame.SETTINGS:
            raise Fault(H3Error.MISSING_SETTINGS, "no SETTINGS first")
        if kind in _NOT_FOR_CONTROL or (kind == Frame.SETTINGS and self._settled):
            raise Fault(H3Error.FRAME_UNEXPECTED, f"a frame of type {kind:#x} on the control stream")
        if kind == Frame.SETTINGS:
            if length > MOST_SETTINGS_OCTETS:
                raise Fault(H3Error.EXCESSIVE_LOAD, "settings without end")
            return True
        self._hub.odd()
        if kind not in (Frame.GOAWAY, Frame.MAX_PUSH_ID, Frame.CANCEL_PUSH):
            return False
        if length > _LONGEST_CONTROL:
            raise Fault(H3Error.FRAME_ERROR, "a frame that is too long")
        return True

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
        elif kind == Frame.MAX_PUSH_ID:
            if value < self._pushes:
                raise Fault(H3Error.ID_ERROR, "a MAX_PUSH_ID that takes back another")
            self._pushes = value
        else:
            raise Fault(H3Error.ID_ERROR, "there are no pushes to be cancelled")
