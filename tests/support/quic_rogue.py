"""A client of QUIC that completes its handshake and then says whatever a test wants it to, past all rules of its own.

It has no HTTP/3: what goes on streams is made by hand, too. `say` puts frames into packets at once, with keys and
packet numbers as they have to be, and heeds no window, no limit and no congestion.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.stream import QuicStream
from aioquic.tls import Epoch
from pylsqpack import Encoder

from tests.support.quic_forge import stream, varint
from tests.support.wait import wait_until

CONTROL, PUSH, ENCODER, DECODER = range(4)
"""Kinds of streams in one direction (RFC 9114 section 6.2, RFC 9204 section 4.2)."""
DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID = 0, 1, 3, 4, 5, 7, 13
Fields = list[tuple[bytes, bytes]]
HEAD: Fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/prey/hello")]
FIRST_CONTROL = 2
"""The first stream that a client opens in one direction."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/3."""
    return varint(kind) + varint(len(payload)) + payload


def block(fields: Fields) -> bytes:
    """A field section that needs no table of its own."""
    return bytes(Encoder().encode(0, fields)[1])


REQUEST = frame(HEADERS, block(HEAD))
UPLOAD = frame(HEADERS, block([(b":method", b"POST"), *HEAD[1:3], (b":path", b"/prey/echo")]))
OPEN = stream(FIRST_CONTROL, varint(CONTROL) + frame(SETTINGS))
"""What every client of HTTP/3 begins with."""


class _Lenient(QuicConnection):
    """One that takes answers on streams that it never opened by its own means, and no matter how many ids."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._forged: dict[int, QuicStream] = {}

    def _get_or_create_stream(self, frame_type: int, stream_id: int) -> QuicStream:
        if stream_id % 2:
            return super()._get_or_create_stream(frame_type, stream_id)
        if stream_id not in self._forged:
            self._forged[stream_id] = QuicStream(stream_id=stream_id, max_stream_data_local=2**24)
        return self._forged[stream_id]


    def _handle_new_connection_id_frame(self, context: Any, frame_type: int, buf: Buffer) -> None:
        buf.pull_uint_var()
        buf.pull_uint_var()
        buf.pull_bytes(buf.pull_uint8() + 16)


class Rogue:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = ("127.0.0.1", port)
        self.quic = _Lenient(configuration=QuicConfiguration(
            alpn_protocols=["h3"], server_name="localhost", verify_mode=ssl.CERT_NONE, max_datagram_frame_size=65536))
        self.shaken = False
        self.closed: tuple[int, str] | None = None
        """How the edge ended it."""
        self.answers: dict[int, bytes] = {}
        """What came on each stream."""
        self.resets: dict[int, int] = {}
        """Streams that the edge reset, or took no more of, and with which code."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self._socket.setblocking(False)
        self._socket.connect(self._server)
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def connect(cls, port: int) -> "Rogue":
        """With the handshake done."""
        rogue = cls(port)
        rogue.quic.connect(rogue._server, now=rogue._loop.time())
        rogue._loop.add_reader(rogue._socket, rogue._read)
        rogue.flush()
        await wait_until(lambda: rogue.shaken or rogue.closed, "the handshake")
        assert rogue.shaken, rogue.closed
        return rogue

    def packet(self, frames: bytes) -> bytes:
        """A datagram with these frames (RFC 9000 section 17.3.1)."""
        quic = self.quic
        number, pair = quic._packet_number, quic._cryptos[Epoch.ONE_RTT]
        quic._packet_number += 1
        head = bytes([0x43 | pair.key_phase << 2]) + quic._peer_cid.cid + (number & 0xFFFFFFFF).to_bytes(4, "big")
        return bytes(pair.encrypt_packet(head, frames.ljust(4, b"\0"), number))

    def say(self, *frames: bytes) -> None:
        """Each in a packet of its own; nothing once the connection is closed."""
        for one in frames:
            if not self.closed:
                self.raw(self.packet(one))

    def raw(self, datagram: bytes) -> None:
        with suppress(OSError):
            self._socket.send(datagram)

    async def flood(self, pieces: Iterable[bytes], at_once: int = 50) -> int:
        """Say one after the other until the edge has had enough: how many it took."""
        said = 0
        for piece in pieces:
            if self.closed:
                break
            self.say(piece)
            said += 1
            if said % at_once == 0:
                await asyncio.sleep(0.001)
        return said

    def flush(self) -> None:
        """What QUIC has to say by itself: acknowledgements, above all."""
        for datagram, _ in self.quic.datagrams_to_send(now=self._loop.time()):
            self.raw(datagram)
        if self._timer is not None:
            self._timer.cancel()
        due = self.quic.get_timer()
        self._timer = None if due is None or self.closed else self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.quic.handle_timer(now=self._loop.time())
        self._note()
        self.flush()

    def _read(self) -> None:
        with suppress(OSError):
            for _ in range(64):
                self.quic.receive_datagram(self._socket.recv(65536), self._server, now=self._loop.time())
        self._note()
        self.flush()

    def _note(self) -> None:
        while (event := self.quic.next_event()) is not None:
            match event:
                case HandshakeCompleted():
                    self.shaken = True
                case ConnectionTerminated():
                    self.closed = (event.error_code, event.reason_phrase)
                case StreamDataReceived():
                    self.answers[event.stream_id] = self.answers.get(event.stream_id, b"") + event.data
                case StreamReset() | StopSendingReceived():
                    self.resets[event.stream_id] = event.error_code

    def drop(self) -> None:
        """Fall silent."""
        if self._timer is not None:
            self._timer.cancel()
        self.closed = self.closed or (-1, "dropped")
        self._loop.remove_reader(self._socket)
        self._socket.close()
