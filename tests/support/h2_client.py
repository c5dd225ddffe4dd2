"""An HTTP/2 client on h2 (hyper), independent of the edge: requests, and whatever bytes or frames a test wants."""

import asyncio
import ssl
import struct
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import Settings

from tests.support.answer import Answer, Fields
from tests.support.wait import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """A frame as bytes, whatever sense it makes."""
    octets = len(payload) if length is None else length
    return struct.pack(">BHBBL", octets >> 16, octets & 0xFFFF, kind, flags, stream) + payload


class H2Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __init__(self, *, take: bool = True, settings: dict[Any, int] | None = None) -> None:
        """take: whether windows are opened again for what came."""
        self.h2 = H2Connection(H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False))
        if settings:
            self.h2.local_settings = Settings(client=True, initial_values=settings)
        self.take = take
        self.answers: dict[int, Answer] = {}
        self.goaways: list[tuple[int, int]] = []
        self.settings: dict[int, int] = {}
        self.pongs = 0
        self.closed = False

    @classmethod
    async def connect(cls, port: int, *, take: bool = True, settings: dict[Any, int] | None = None,
                      limit: int = 2**16, tls: ssl.SSLContext | None = None) -> "H2Client":
        """tls: agrees on `h2`."""
        client = cls(take=take, settings=settings)
        name = None if tls is None else "localhost"
        client.reader, client.writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=limit, ssl=tls, server_hostname=name)
        client.h2.initiate_connection()
        await client.flush()
        return client

    async def flush(self) -> None:
        out = self.h2.data_to_send()
        if out:
            await self.raw(out)

    async def raw(self, data: bytes) -> None:
        """Send bytes; whether they are taken is no matter."""
        try:
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), PATIENCE)
        except (ConnectionError, TimeoutError):
            self.closed = True

    async def ask(self, path: bytes = b"/hello", *, method: bytes = b"GET", end: bool = True,
                  fields: Fields | None = None, more: Fields | None = None) -> int:
        """Send a request's head: its stream."""
        stream = self.h2.get_next_available_stream_id()
        head = fields or [(b":method", method), (b":scheme", b"http"), (b":authority", b"edge.test"), (b":path", path)]
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, [*head, *(more or [])], end_stream=end)
        await self.flush()
        return stream

    async def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.h2.send_data(stream, data, end_stream=end)
        await self.flush()

    async def step(self) -> None:
        """Read once."""
        try:
            data = await asyncio.wait_for(self.reader.read(65536), PATIENCE)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self._note(event)
        await self.flush()

    def _note(self, event: Any) -> None:
        match event:
            case InformationalResponseReceived():
                self.answers[event.stream_id].interims.append(list(event.headers))
            case ResponseReceived():
                self.answers[event.stream_id].fields = dict(event.headers)
            case DataReceived():
                self.answers[event.stream_id].body += event.data
                if self.take:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case TrailersReceived():
                self.answers[event.stream_id].trailers = dict(event.headers)
            case StreamEnded():
                self.answers[event.stream_id].complete = True
            case StreamReset():
                self.answers[event.stream_id].reset = int(event.error_code)
            case ConnectionTerminated():
                self.goaways.append((event.last_stream_id, int(event.error_code)))
            case PingAckReceived():
                self.pongs += 1
            case RemoteSettingsChanged():
                self.settings |= {int(key): change.new_value for key, change in event.changed_settings.items()}

    async def until(self, done: Any, what: str = "") -> None:
        """Read until `done()`. Raises AssertionError if the connection ends before."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not done():
            assert not self.closed, f"closed before {what}: {self.goaways}"
            assert asyncio.get_running_loop().time() < deadline, what
            await self.step()

    async def answer(self, stream: int) -> Answer:
        """The whole answer."""
        answer = self.answers[stream]
        await self.until(lambda: answer.over, f"the answer on stream {stream}")
        return answer

    async def get(self, path: bytes = b"/hello") -> Answer:
        return await self.answer(await self.ask(path))

    async def end(self) -> None:
        """Read until the edge has closed."""
        while not self.closed:
            await self.step()

    def drop(self) -> None:
        """Cut the connection."""
        self.writer.transport.abort()
