"""WebSocket frames (RFC 6455 section 5), read and built without any I/O.

The relay passes frames on as they came; what is parsed here is only where they begin and end, and what is not
a plain data message: fragments, control frames, and everything that is wrong.
"""

import zlib
from enum import IntEnum
from typing import NamedTuple

from sbc.core.octets import decodes, unmasked
from sbc.model.errors import CloseCode


class Opcode(IntEnum):
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


FIN = 0x80
RSV1 = 0x40
"""RFC 7692 section 6: the message is compressed."""
MASKED = 0x80
LONGEST_CONTROL = 125


class Fault(Exception):
    """The sender broke the protocol, or a limit: the close code to answer with, and why."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Frame(NamedTuple):
    """Where a frame lies: its payload is data[body:end], its mask, if any, the four bytes before."""

    fin: bool
    compressed: bool
    opcode: int
    masked: bool
    body: int
    end: int

    @property
    def mask_at(self) -> int:
        return self.body - 4 if self.masked else -1


def read_frame(data: bytes, at: int, *, masked: bool, deflate: bool, limit: int) -> Frame | None:
    """The frame whose first byte is data[at]; its end may lie beyond the data. None: more bytes are needed.

    masked: whether the sender has to mask. deflate: whether permessage-deflate was agreed on. limit: the longest
    payload, in bytes. Raises Fault.
    """
    if len(data) - at < 2:
        return None
    first, second = data[at], data[at + 1]
    opcode = first & 0x0F
    _check_first_byte(first, opcode, deflate)
    # RFC 6455 section 5.1: a client masks every frame, a server none.
    if bool(second & MASKED) != masked:
        raise Fault(CloseCode.PROTOCOL_ERROR, "frame not masked" if masked else "masked frame from a server")
    length, body = second & 0x7F, at + 2
    if opcode >= Opcode.CLOSE and (length > LONGEST_CONTROL or not first & FIN):
        raise Fault(CloseCode.PROTOCOL_ERROR, "control frame too long or fragmented")  # section 5.5
    if length >= 126:
        octets = 2 if length == 126 else 8
        if len(data) < body + octets:
            return None
        length = int.from_bytes(data[body : body + octets], "big")
        body += octets
        # Section 5.2: the shortest form has to be used, and the highest bit is not.
        if length < (126 if octets == 2 else 0x10000) or length >> 63:
            raise Fault(CloseCode.PROTOCOL_ERROR, "bad frame length")
    if length > limit:
        raise Fault(CloseCode.TOO_BIG, f"message over {limit} bytes")
    body += 4 if masked else 0
    return Frame(bool(first & FIN), bool(first & RSV1), opcode, masked, body, body + length)


def _check_first_byte(first: int, opcode: int, deflate: bool) -> None:
    reserved = first & 0x70
    # RFC 7692 section 6: RSV1 marks the first frame of a compressed message, and only where it was agreed on.
    if reserved and not (reserved == RSV1 and deflate and opcode in (Opcode.TEXT, Opcode.BINARY)):
        raise Fault(CloseCode.PROTOCOL_ERROR, "reserved bits set")
    if opcode not in _KNOWN:
        raise Fault(CloseCode.PROTOCOL_ERROR, f"reserved opcode {opcode:#x}")


_KNOWN = frozenset(Opcode)


def build(opcode: Opcode, payload: bytes, mask: bytes | None) -> bytes:
    """One whole frame. mask: four unpredictable bytes on a leg where the edge is the client, else None."""
    length = len(payload)
    bit = MASKED if mask else 0
    if length < 126:
        head = bytes((FIN | opcode, bit | length))
    elif length < 0x10000:
        head = bytes((FIN | opcode, bit | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((FIN | opcode, bit | 127)) + length.to_bytes(8, "big")
    if mask is None:
        return head + payload
    return head + mask + unmasked(mask + payload, 4, 4 + length, 0)  # masking and unmasking are the same


def close_payload(code: int, reason: str) -> bytes:
    """The payload of a close frame; the reason is cut to the 123 bytes there is room for, on a character border."""
    if code in (CloseCode.NO_STATUS, CloseCode.ABNORMAL):
        return b""  # section 7.4.1: these never go over the wire
    return code.to_bytes(2, "big") + reason.encode()[:123].decode(errors="ignore").encode()


def read_close(payload: bytes) -> tuple[int, str]:
    """Code and reason of a received close frame; 1005 for an empty one. Raises Fault."""
    if not payload:
        return CloseCode.NO_STATUS, ""
    code = int.from_bytes(payload[:2], "big")
    # Section 7.4: what may be sent is 1000-1014 without 1004-1006, and 3000-4999.
    if len(payload) < 2 or not ((1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code < 5000):
        raise Fault(CloseCode.PROTOCOL_ERROR, "bad close frame")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise Fault(CloseCode.INVALID_TEXT, "close reason is not UTF-8") from None


def payload_of(message: bytes, limit: int) -> tuple[bool, bytes]:
    """Whether a whole message as it stood on the wire is text, and its payload: joined, unmasked and inflated.

    limit: the longest inflated payload, in bytes. Raises Fault if it is longer, or not well compressed.
    """
    at, parts, text, compressed = 0, [], False, False
    while at < len(message):
        masked = bool(message[at + 1] & MASKED)
        frame = read_frame(message, at, masked=masked, deflate=True, limit=len(message))
        assert frame is not None, "only whole messages are kept"
        if at == 0:
            text, compressed = frame.opcode == Opcode.TEXT, frame.compressed
        parts.append(unmasked(message, frame.body, frame.end, frame.mask_at))
        at = frame.end
    payload = b"".join(parts)
    return text, _inflated(payload, limit) if compressed else payload


def _inflated(payload: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(wbits=-15)
    try:
        # RFC 7692 section 7.2.2: the sender has cut these four bytes off.
        plain = inflater.decompress(payload + b"\x00\x00\xff\xff", limit)
    except zlib.error:
        raise Fault(CloseCode.INVALID_TEXT, "bad compressed message") from None
    if inflater.unconsumed_tail:
        raise Fault(CloseCode.TOO_BIG, f"message inflates over {limit} bytes")
    return plain


def check_text(data: bytes, frame: Frame) -> None:
    """Raises Fault if the payload of a frame is not UTF-8."""
    if not decodes(data, frame.body, frame.end, frame.mask_at):
        raise Fault(CloseCode.INVALID_TEXT, "text is not UTF-8")


def check_fragments(message: bytes, *, masked: bool, deflate: bool, limit: int) -> None:
    """Raises Fault if the frames of a whole message are together more than `limit` bytes, or text that is not UTF-8."""
    at, payload = 0, bytearray()
    while at < len(message):
        frame = read_frame(message, at, masked=masked, deflate=deflate, limit=limit)
        assert frame is not None
        payload += unmasked(message, frame.body, frame.end, frame.mask_at)
        at = frame.end
    if len(payload) > limit:
        raise Fault(CloseCode.TOO_BIG, f"message over {limit} bytes")
    whole = bytes(payload)
    if message[0] == Opcode.TEXT and not decodes(whole, 0, len(whole), -1):
        raise Fault(CloseCode.INVALID_TEXT, "text is not UTF-8")
