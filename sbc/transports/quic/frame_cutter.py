"""What a Link writes to a WebSocket client, cut into messages again: for a client that has them without frames."""

from sbc.core.frames import Opcode, read_frame

_NO_LIMIT = 2**62
"""The session has held the message against its limits already."""


class FrameCutter:
    """Reads frames as a server sends them."""

    __slots__ = ("_buffer", "_opcode", "_parts")

    def __init__(self) -> None:
        self._buffer = b""
        self._opcode = 0
        """Of the message that is in fragments."""
        self._parts: list[bytes] = []

    def cut(self, data: bytes) -> list[tuple[int, bytes]]:
        """The messages and control frames that are whole by now: opcode and payload."""
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        whole: list[tuple[int, bytes]] = []
        at = 0
        while (frame := read_frame(data, at, masked=False, deflate=False, limit=_NO_LIMIT)) is not None:
            if frame.end > len(data):
                break
            payload, at = data[frame.body : frame.end], frame.end
            if frame.opcode >= Opcode.CLOSE or (frame.fin and frame.opcode != Opcode.CONTINUATION):
                whole.append((frame.opcode, payload))
                continue
            self._opcode = frame.opcode or self._opcode
            self._parts.append(payload)
            if frame.fin:
                whole.append((self._opcode, b"".join(self._parts)))
                self._parts.clear()
        self._buffer = data[at:]
        return whole
