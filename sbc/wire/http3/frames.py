"""HTTP/3 on the wire: numbers, frames, settings and codes (RFC 9114, RFC 9204, RFC 9220, RFC 9297, WebTransport)."""

from enum import IntEnum
from typing import Final

from sbc.wire.http2.engine import H2Error

LONGEST_HEAD: Final = 16
"""Of a frame, in bytes: its type and its length."""
UNKNOWN_LENGTH: Final = -1

ANY_REQUEST: Final = 2**62 - 4
"""RFC 9114 section 5.2: a GOAWAY with this stream refuses nothing yet."""


class Frame(IntEnum):
    DATA = 0x0
    HEADERS = 0x1
    CANCEL_PUSH = 0x3
    SETTINGS = 0x4
    PUSH_PROMISE = 0x5
    GOAWAY = 0x7
    MAX_PUSH_ID = 0xD
    WEBTRANSPORT = 0x41


OF_HTTP2: Final = frozenset({0x2, 0x6, 0x8, 0x9})
"""RFC 9114 section 7.2.8: frames that have no meaning here, and must not come."""


class StreamType(IntEnum):
    """Of streams that go one way (RFC 9114 section 6.2, RFC 9204 section 4.2)."""

    CONTROL = 0x0
    PUSH = 0x1
    QPACK_ENCODER = 0x2
    QPACK_DECODER = 0x3
    WEBTRANSPORT = 0x54


class Setting(IntEnum):
    QPACK_MAX_TABLE_CAPACITY = 0x1
    MAX_FIELD_SECTION_SIZE = 0x6
    QPACK_BLOCKED_STREAMS = 0x7
    ENABLE_CONNECT_PROTOCOL = 0x8
    H3_DATAGRAM = 0x33
    WEBTRANSPORT_DRAFT_02 = 0x2B603742
    WEBTRANSPORT_MAX_SESSIONS = 0xC671706A
    """Of draft-07 and later."""


BOOLEAN_SETTINGS: Final = (Setting.ENABLE_CONNECT_PROTOCOL, Setting.H3_DATAGRAM)
RESERVED_SETTINGS: Final = frozenset({0x0, 0x2, 0x3, 0x4, 0x5})
"""RFC 9114 section 7.2.4.1."""


class H3Error(IntEnum):
    """RFC 9114 section 8.1, RFC 9204 section 8.3, RFC 9297 section 5.2."""

    DATAGRAM_ERROR = 0x33
    NO_ERROR = 0x100
    GENERAL_PROTOCOL_ERROR = 0x101
    INTERNAL_ERROR = 0x102
    STREAM_CREATION_ERROR = 0x103
    CLOSED_CRITICAL_STREAM = 0x104
    FRAME_UNEXPECTED = 0x105
    FRAME_ERROR = 0x106
    EXCESSIVE_LOAD = 0x107
    ID_ERROR = 0x108
    SETTINGS_ERROR = 0x109
    MISSING_SETTINGS = 0x10A
    REQUEST_REJECTED = 0x10B
    REQUEST_CANCELLED = 0x10C
    REQUEST_INCOMPLETE = 0x10D
    MESSAGE_ERROR = 0x10E
    CONNECT_ERROR = 0x10F
    VERSION_FALLBACK = 0x110
    QPACK_DECOMPRESSION_FAILED = 0x200
    QPACK_ENCODER_STREAM_ERROR = 0x201
    QPACK_DECODER_STREAM_ERROR = 0x202
    WEBTRANSPORT_BUFFERED_STREAM_REJECTED = 0x3994BD84
    WEBTRANSPORT_SESSION_GONE = 0x170D7B68
    WEBTRANSPORT_APPLICATION = 0x52E4A40FA8DB
    """The first of those that stand for an application's own codes."""


_TO_HTTP3: Final[dict[int, H3Error]] = {
    H2Error.NO_ERROR: H3Error.NO_ERROR, H2Error.PROTOCOL_ERROR: H3Error.GENERAL_PROTOCOL_ERROR,
    H2Error.INTERNAL_ERROR: H3Error.INTERNAL_ERROR, H2Error.REFUSED_STREAM: H3Error.REQUEST_REJECTED,
    H2Error.CANCEL: H3Error.REQUEST_CANCELLED, H2Error.CONNECT_ERROR: H3Error.CONNECT_ERROR,
    H2Error.COMPRESSION_ERROR: H3Error.QPACK_DECOMPRESSION_FAILED, H2Error.ENHANCE_YOUR_CALM: H3Error.EXCESSIVE_LOAD,
    H2Error.FRAME_SIZE_ERROR: H3Error.FRAME_ERROR, H2Error.HTTP_1_1_REQUIRED: H3Error.VERSION_FALLBACK,
}  # fmt: skip

_FROM_HTTP3: Final[dict[int, H2Error]] = {
    H3Error.NO_ERROR: H2Error.NO_ERROR, H3Error.INTERNAL_ERROR: H2Error.INTERNAL_ERROR,
    H3Error.REQUEST_REJECTED: H2Error.REFUSED_STREAM, H3Error.REQUEST_CANCELLED: H2Error.CANCEL,
    H3Error.REQUEST_INCOMPLETE: H2Error.CANCEL, H3Error.CONNECT_ERROR: H2Error.CONNECT_ERROR,
    H3Error.QPACK_DECOMPRESSION_FAILED: H2Error.COMPRESSION_ERROR,
    H3Error.QPACK_ENCODER_STREAM_ERROR: H2Error.COMPRESSION_ERROR,
    H3Error.QPACK_DECODER_STREAM_ERROR: H2Error.COMPRESSION_ERROR,
    H3Error.EXCESSIVE_LOAD: H2Error.ENHANCE_YOUR_CALM, H3Error.FRAME_ERROR: H2Error.FRAME_SIZE_ERROR,
    H3Error.VERSION_FALLBACK: H2Error.HTTP_1_1_REQUIRED, H3Error.WEBTRANSPORT_SESSION_GONE: H2Error.CANCEL,
    H3Error.WEBTRANSPORT_BUFFERED_STREAM_REJECTED: H2Error.REFUSED_STREAM,
}  # fmt: skip


def to_http3(code: int) -> int:
    """The code of HTTP/3 for an H2Error."""
    return _TO_HTTP3.get(code, H3Error.GENERAL_PROTOCOL_ERROR)


def from_http3(code: int) -> int:
    """The H2Error for a code of HTTP/3 or of QUIC's own. An application's code of WebTransport is CANCEL."""
    if code >= H3Error.WEBTRANSPORT_APPLICATION:
        return H2Error.CANCEL
    # RFC 9000 section 20.1: QUIC's NO_ERROR is 0.
    return H2Error.NO_ERROR if code == 0 else _FROM_HTTP3.get(code, H2Error.PROTOCOL_ERROR)


class Fault(Exception):
    """The other side broke the protocol: what its connection is closed with."""

    def __init__(self, code: int, reason: str) -> None:
        """code: an H3Error."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


def varint(value: int) -> bytes:
    """RFC 9000 section 16."""
    if value < 0x40:
        return value.to_bytes(1, "big")
    if value < 0x4000:
        return (value | 0x4000).to_bytes(2, "big")
    if value < 0x40000000:
        return (value | 0x80000000).to_bytes(4, "big")
    return (value | 0xC000000000000000).to_bytes(8, "big")


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that stands at `data[at]`, and where it ends. Not whole: (0, UNKNOWN_LENGTH)."""
    if at >= len(data):
        return 0, UNKNOWN_LENGTH
    first = data[at]
    end = at + (1 << (first >> 6))
    if end > len(data):
        return 0, UNKNOWN_LENGTH
    value = first & 0x3F
    for octet in data[at + 1 : end]:
        value = value << 8 | octet
    return value, end


def frame(kind: int, payload: bytes) -> bytes:
    """A frame with its head (RFC 9114 section 7.1)."""
    return varint(kind) + varint(len(payload)) + payload


def settings_frame(settings: dict[int, int]) -> bytes:
    """RFC 9114 section 7.2.4."""
    return frame(Frame.SETTINGS, b"".join([varint(key) + varint(value) for key, value in settings.items()]))


def read_settings(payload: bytes) -> dict[int, int]:
    """What a SETTINGS frame says. Raises Fault."""
    settings: dict[int, int] = {}
    at = 0
    while at < len(payload):
        key, at = read_varint(payload, at)
        value, at = read_varint(payload, at) if at >= 0 else (0, at)
        if at < 0:
            raise Fault(H3Error.FRAME_ERROR, "settings that are cut off")
        if key in RESERVED_SETTINGS:
            raise Fault(H3Error.SETTINGS_ERROR, "a setting of HTTP/2")
        if key in settings:
            raise Fault(H3Error.SETTINGS_ERROR, "a setting that comes twice")
        settings[key] = value
    if any(settings.get(key, 0) > 1 for key in BOOLEAN_SETTINGS):
        raise Fault(H3Error.SETTINGS_ERROR, "a setting that is neither 0 nor 1")
    return settings
