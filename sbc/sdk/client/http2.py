"""WebSocket over HTTP/2: an extended CONNECT on a connection of its own (RFC 8441)."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from sbc.sdk.client.contract import refusal
from sbc.sdk.client.stream import ANSWER_OCTETS, CROWDED_OCTETS, ByteStream, Origin, Transport, Unfit

WINDOW = 1024 * 1024
STREAM = 1


def connect_fields(origin: Origin, path: str, fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The head of an extended CONNECT (RFC 8441 section 4, RFC 9220 section 3)."""
    head = {":method": "CONNECT", ":protocol": "websocket", ":scheme": "https" if origin.secure else "http",
            ":authority": origin.authority, ":path": path, "sec-websocket-version": "13"}
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (head | dict(fields)).items()]


def text_fields(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header fields as text."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in fields}


class Http2Connection(asyncio.Protocol):
    """Carries one WebSocket, on stream 1. Implements Connection."""

    transport = Transport.HTTP2

    def __init__(self, tcp: asyncio.Transport, origin: Origin) -> None:
        self.tcp = tcp
        self._origin = origin
        self._stream: _Tunnel | None = None
        self._settings: bool | None = None
        """Whether an extended CONNECT may be sent (RFC 8441 section 3); None: nothing was said yet."""
        self._answer: dict[str, str] | None = None
        self._early = bytearray()
        """What came before anybody could take it."""
        self._finished = False
        self._changed = asyncio.Event()
        self.pending = bytearray()
        """What waits for the window to open."""
        self._congested = False
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.h2.local_settings = Settings(client=True, initial_values={
            SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(WINDOW - 65535)
        self.flush()

    async def open(self, path: str, fields: Mapping[str, str]) -> ByteStream:
        await self._until(lambda: self._settings is not None)
        if not self._settings:
            raise Unfit("no extended CONNECT over HTTP/2 here")
        self.h2.send_headers(STREAM, connect_fields(self._origin, path, fields))
        self.flush()
        await self._until(lambda: self._answer is not None)
        assert self._answer is not None
        status = int(self._answer.get(":status", "0"))
        if status != 200:
            await self._until(lambda: self._finished or len(self._early) > ANSWER_OCTETS)
            raise refusal(status, self._answer, bytes(self._early))
        self._stream = _Tunnel(self, self._answer)
        self._stream.fed(bytes(self._early))
        if self._finished:
            self._stream.ended()
        return self._stream

    async def _until(self, there: Callable[[], bool]) -> None:
        while not there():
            if self._finished:
                raise ConnectionError("no answer to the hello")
            self._changed.clear()
            await self._changed.wait()

    def abort(self) -> None:
        self.tcp.abort()

    def flush(self) -> None:
        """Send what the window lets through."""
        while self.pending and (room := self._room()) > 0:
            self.h2.send_data(STREAM, bytes(self.pending[:room]))
            del self.pending[:room]
        out = self.h2.data_to_send()
        if out and not self.tcp.is_closing():
            self.tcp.write(out)
        self._settle()

    def _room(self) -> int:
        if self._finished:
            return 0
        return min(self.h2.local_flow_control_window(STREAM), self.h2.max_outbound_frame_size)

    def _settle(self) -> None:
        if self._stream is not None and not self._stream.over:
            if self._congested or len(self.pending) > CROWDED_OCTETS:
                self._stream.writable.clear()
            else:
                self._stream.writable.set()

    def _finish(self) -> None:
        self._finished = True
        self._changed.set()
        if self._stream is not None:
            self._stream.ended()

    # What the loop tells.

    def data_received(self, data: bytes) -> None:
        """Something came."""
        try:
            for event in self.h2.receive_data(data):
                self._note(event)
        except ProtocolError:
            self._finish()
        self.flush()

    def _note(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged() if self._settings is None:
                change = event.changed_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL)
                self._settings = change is not None and change.new_value == 1
                self._changed.set()
            case ResponseReceived():
                self._answer = text_fields(event.headers)
                self._changed.set()
            case DataReceived() if self._stream is not None:
                self._stream.fed(event.data)
                self.taken(event.flow_controlled_length - len(event.data))
            case DataReceived():
                self._early += event.data
                self._changed.set()
            case StreamEnded() | StreamReset() | ConnectionTerminated():
                # After a GOAWAY this library carries nothing more, not even what is under way.
                self._finish()

    def taken(self, octets: int) -> None:
        """So much of what came was read: the edge may send as much again."""
        if octets and not self._finished:
            self.h2.acknowledge_received_data(octets, STREAM)

    def connection_lost(self, _fault: Exception | None) -> None:
        """It is over."""
        self._finish()

    def pause_writing(self) -> None:
        """What is written piles up."""
        self._congested = True
        self._settle()

    def resume_writing(self) -> None:
        """It does no longer."""
        self._congested = False
        self._settle()


class _Tunnel(ByteStream):
    """The stream after its 200."""

    def __init__(self, carrier: Http2Connection, fields: Mapping[str, str]) -> None:
        super().__init__(Transport.HTTP2, fields)
        self._carrier = carrier

    def write(self, data: bytes) -> None:
        if not self.over:
            self._carrier.pending += data
            self._carrier.flush()

    def abort(self) -> None:
        self._carrier.abort()

    def _taken(self, octets: int) -> None:
        self._carrier.taken(octets)
        self._carrier.flush()
