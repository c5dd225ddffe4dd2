"""WebSocket over HTTP/2: an extended CONNECT on a connection of its own (RFC 8441)."""

import asyncio
from collections.abc import Mapping

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

from sbc.sdk.client.stream import CROWDED_OCTETS, ByteStream, Origin, Transport, Unfit
from sbc.sdk.client.tunnel import Carrier, connect_fields

WINDOW = 1024 * 1024
STREAM = 1
_LOST = "the connection is lost"


class Http2Connection(Carrier, asyncio.Protocol):
    """Carries one WebSocket, on stream 1. Implements Connection."""

    transport = Transport.HTTP2

    def __init__(self, tcp: asyncio.Transport, origin: Origin) -> None:
        super().__init__()
        self._tcp = tcp
        self._origin = origin
        self._settings: bool | None = None
        """Whether an extended CONNECT may be sent (RFC 8441 section 3); None: nothing was said yet."""
        self._pending = bytearray()
        """What waits for the window to open."""
        self._congested = False
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.local_settings = Settings(client=True, initial_values={
            SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW - 65535)
        self.flush()

    async def open(self, path: str, fields: Mapping[str, str]) -> ByteStream:
        await self._until(lambda: self._settings is not None)
        if not self._settings:
            raise Unfit("no extended CONNECT over HTTP/2 here")
        self._h2.send_headers(STREAM, connect_fields(self._origin, path, fields))
        self.flush()
        return await self._opened()

    def send(self, data: bytes) -> None:
        if not self._finished:
            self._pending += data
            self.flush()

    def taken(self, octets: int) -> None:
        self._credit(octets)
        self.flush()

    def _credit(self, octets: int) -> None:
        """The edge may send so much again."""
        if octets and not self._finished:
            self._h2.acknowledge_received_data(octets, STREAM)

    def abort(self) -> None:
        self._tcp.abort()

    def flush(self) -> None:
        """Send what the window lets through."""
        while self._pending and (room := self._room()) > 0:
            self._h2.send_data(STREAM, bytes(self._pending[:room]))
            del self._pending[:room]
        out = self._h2.data_to_send()
        if out and not self._tcp.is_closing():
            self._tcp.write(out)
        self._settle()

    def _settle(self) -> None:
        self._crowded(self._congested or len(self._pending) > CROWDED_OCTETS)

    def _room(self) -> int:
        if self._finished:
            return 0
        return min(self._h2.local_flow_control_window(STREAM), self._h2.max_outbound_frame_size)

    # What the loop tells.

    def data_received(self, data: bytes) -> None:
        """Something came."""
        try:
            for event in self._h2.receive_data(data):
                self._note(event)
        except ProtocolError:
            self._finish(_LOST)
        self.flush()

    def _note(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged() if self._settings is None:
                change = event.changed_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL)
                self._settings = change is not None and change.new_value == 1
                self._changed.set()
            case ResponseReceived():
                self._answered(event.headers)
            case DataReceived():
                self._came(event.data)
                self._credit(event.flow_controlled_length - len(event.data))
            case StreamEnded() | StreamReset() | ConnectionTerminated():
                # After a GOAWAY this library carries nothing more, not even what is under way.
                self._finish(_LOST)

    def connection_lost(self, _fault: Exception | None) -> None:
        """It is over."""
        self._finish(_LOST)

    def pause_writing(self) -> None:
        """What is written piles up."""
        self._congested = True
        self._settle()

    def resume_writing(self) -> None:
        """It does no longer."""
        self._congested = False
        self._settle()
