"""WebSocket frames as a client writes and reads them (RFC 6455 section 5), without extensions. No I/O."""

from enum import IntEnum

from sbc.model.errors import CloseCode


class Opcode(IntEnum):
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_OPCODES = frozenset(Opcode)


class BadFrame(Exception):
    """What a server must not send. code: the close code that tells it."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def written(opcode: int, payload: bytes, mask: bytes) -> bytes:
    """A whole frame. mask: four bytes that nobody can foresee (section 5.3)."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    # One operation on a number of any size is far quicker than a loop over its bytes.
    pattern = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return head + mask + masked.to_bytes(size, "big")


class FrameReader:
    """Cuts what comes into messages and control frames."""

    def __init__(self, limit: int) -> None:
        """limit: the longest message, in bytes."""
        self._limit = limit
        self._data = bytearray()
        self._opcode = 0
        """Of the message that has begun; 0: none has."""
        self._pieces = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._data += data

    def next(self) -> tuple[int, bytes] | None:
        """The next message, or control frame: opcode and payload. None if it is not whole yet. Raises BadFrame."""
        while (frame := self._frame()) is not None:
            fin, opcode, payload = frame
            if opcode >= Opcode.CLOSE:
                return opcode, payload
            if (opcode == Opcode.CONTINUATION) != bool(self._opcode):
                raise BadFrame(CloseCode.PROTOCOL_ERROR, "a piece of no message, or a message within another")
            self._opcode = self._opcode or opcode
            self._pieces += payload
            if len(self._pieces) > self._limit:
                raise BadFrame(CloseCode.TOO_BIG, f"a message of more than {self._limit} bytes")
            if fin:
                whole, opcode = bytes(self._pieces), self._opcode
                self._opcode = 0
                self._pieces.clear()
                return opcode, whole
        return None

    def _frame(self) -> tuple[bool, int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        first, size = data[0], data[1]
        at = 2 + {126: 2, 127: 8}.get(size, 0)
        if first & 0x70 or first & 0x0F not in _OPCODES or size & 0x80:
            raise BadFrame(CloseCode.PROTOCOL_ERROR, "reserved bits, an unknown opcode, or a mask")
        if first & 0x08 and (size > 125 or not first & 0x80):
            raise BadFrame(CloseCode.PROTOCOL_ERROR, "a control frame that is long, or in pieces")
        if len(data) < at:
            return None
        if size > 125:
            size = int.from_bytes(data[2:at], "big")
        if size > self._limit:
            raise BadFrame(CloseCode.TOO_BIG, f"a message of more than {self._limit} bytes")
        if len(data) < at + size:
            return None
        payload = bytes(data[at : at + size])
        del data[: at + size]
        return bool(first & 0x80), first & 0x0F, payload
