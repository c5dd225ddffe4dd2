"""One WebSocket to the edge, over whatever carries its bytes."""

import os
from collections.abc import Callable

from sbc.model.errors import CloseCode
from sbc.sdk.client.frames import BadFrame, FrameReader, Opcode, written
from sbc.sdk.client.stream import ByteStream, Transport

Message = str | bytes


class WebSocket:
    """Read by one, written by any number."""

    def __init__(self, stream: ByteStream, limit: int, ponged: Callable[[bytes], None]) -> None:
        """limit: the longest message, in bytes. ponged: told of answers to `ping`."""
        self.close_code: int = CloseCode.ABNORMAL
        """How it was closed: the edge's code, or ours for what cannot be taken; 1006 as long as there is none."""
        self.close_reason = ""
        self.heard = False
        """Whether anything came since somebody last set this to False."""
        self._stream = stream
        self._reader = FrameReader(limit)
        self._ponged = ponged
        self._closing = False

    @property
    def transport(self) -> Transport:
        return self._stream.transport

    async def receive(self) -> Message | None:
        """The next message; None once it is closed or lost."""
        try:
            while True:
                while (frame := self._reader.next()) is not None:
                    match frame:
                        case (Opcode.TEXT, payload):
                            return payload.decode()
                        case (Opcode.BINARY, payload):
                            return payload
                        case (Opcode.PING, payload):
                            self._write(Opcode.PONG, payload)
                        case (Opcode.PONG, payload):
                            self._ponged(payload)
                        case (_, payload):
                            self._closed(payload)
                            return None
                data = await self._stream.read()
                if not data:
                    return None
                self.heard = True
                self._reader.feed(data)
        except UnicodeDecodeError:
            self._give_up(CloseCode.INVALID_TEXT, "text is not UTF-8")
        except BadFrame as bad:
            self._give_up(bad.code, str(bad))
        return None

    def _give_up(self, code: CloseCode, reason: str) -> None:
        """What came cannot be taken, and would come again: this is an end like one that the edge has told."""
        self.close(code, reason)
        self.close_code, self.close_reason = code, reason

    def _closed(self, payload: bytes) -> None:
        """The edge has closed it."""
        if len(payload) < 2:
            self.close_code = CloseCode.NO_STATUS
        else:
            self.close_code = int.from_bytes(payload[:2], "big")
            self.close_reason = payload[2:].decode(errors="replace")
        self.close(self.close_code, "")

    async def send(self, message: Message) -> None:
        """Send one message, waiting while the edge does not read. Raises ConnectionError."""
        if isinstance(message, str):
            self._write(Opcode.TEXT, message.encode())
        else:
            self._write(Opcode.BINARY, message)
        await self._stream.drain()

    def ping(self, payload: bytes) -> None:
        """Ask for a sign of life."""
        self._write(Opcode.PING, payload)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, once; what comes until the edge's own is still received."""
        if not self._closing:
            payload = b"" if code == CloseCode.NO_STATUS else code.to_bytes(2, "big") + reason.encode()[:123]
            self._write(Opcode.CLOSE, payload)
            self._closing = True

    def _write(self, opcode: Opcode, payload: bytes) -> None:
        if not self._closing:
            self._stream.write(written(opcode, payload, os.urandom(4)))

    def abort(self) -> None:
        """Drop it, and the connection that carries it."""
        self._stream.abort()
