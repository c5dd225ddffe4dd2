"""WebSocket over HTTP/3: an extended CONNECT on a connection of its own (RFC 9220), over QUIC.

The socket is bound to no address of its host: when the host moves to another network, what is sent goes out there, and
the edge follows (RFC 9000 section 9).
"""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any, cast

from qh3.h3.connection import H3_ALPN, ErrorCode, H3Connection, QpackEncoderStreamError, Setting
from qh3.h3.events import DataReceived, H3Event, HeadersReceived, StopSending, StreamReset
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection, QuicConnectionError
from qh3.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent

from sbc.sdk.client.race import first_address
from sbc.sdk.client.stream import CROWDED_OCTETS, ByteStream, Connection, Origin, Transport, Unfit
from sbc.sdk.client.tunnel import Carrier, connect_fields

IDLE = 60.0
UNREAD_OCTETS = 4 * 1024 * 1024
"""This library credits the sender before anything is read: beyond so much a caller that does not read loses its
connection, and comes back when it does."""


async def dial_http3(origin: Origin, port: int, ca_file: str | None) -> Connection:
    """A connection whose handshake is complete. Raises OSError or Unreachable."""
    return await first_address(origin.host, port, socket.SOCK_DGRAM,
                               lambda family, address: _dial(origin, family, address, ca_file))


async def _dial(origin: Origin, family: int, address: Any, ca_file: str | None) -> Connection:
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN, server_name=origin.host, cafile=ca_file, idle_timeout=IDLE,
        max_stream_data=UNREAD_OCTETS // 4, max_data=UNREAD_OCTETS // 2)
    everywhere = ("::" if family == socket.AF_INET6 else "0.0.0.0", 0)
    _, connection = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Http3Connection(QuicConnection(configuration=configuration), origin), local_addr=everywhere)
    try:
        await connection.shake(address)
    except BaseException:
        connection.abort()
        raise
    return connection


class Http3Connection(Carrier, asyncio.DatagramProtocol):
    """Carries one WebSocket. Implements Connection."""

    transport = Transport.HTTP3

    def __init__(self, quic: QuicConnection, origin: Origin) -> None:
        super().__init__()
        self._quic = quic
        self._origin = origin
        self._udp: asyncio.DatagramTransport
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._h3: H3Connection | None = None
        self._id = -1

    async def shake(self, address: Any) -> None:
        """Shake hands. Raises ConnectionError."""
        self._quic.connect(address, now=self._loop.time())
        self.flush()
        await self._until(lambda: self._h3 is not None)

    async def open(self, path: str, fields: Mapping[str, str]) -> ByteStream:
        assert self._h3 is not None
        h3 = self._h3
        await self._until(lambda: h3.received_settings is not None)
        if not (h3.received_settings or {}).get(Setting.ENABLE_CONNECT_PROTOCOL):
            raise Unfit("no extended CONNECT over HTTP/3 here")
        self._id = self._quic.get_next_available_stream_id()
        try:
            h3.send_headers(self._id, connect_fields(self._origin, path, fields))
        except QpackEncoderStreamError:  # one that takes more than 4 KiB, compressed
            raise Unfit("a header field is longer than this library can say it over HTTP/3") from None
        except QuicConnectionError as closed:
            raise ConnectionError(str(closed)) from None
        self.flush()
        return await self._opened()

    def send(self, data: bytes) -> None:
        if not self._finished and self._h3 is not None:
            try:
                self._h3.send_data(self._id, data, end_stream=False)
            except QuicConnectionError as closed:  # which the library tells by an event only later
                self._finish(str(closed))
            self.flush()

    def taken(self, octets: int) -> None:
        """This library opens its windows by itself."""

    def abort(self) -> None:
        self._finish("aborted here")
        self._quic.close(error_code=ErrorCode.H3_NO_ERROR)
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
        self._udp.close()

    def flush(self) -> None:
        """See to what has come, and send what there is to send."""
        while (event := self._quic.next_event()) is not None:
            self._note_quic(event)
        for datagram, address in self._quic.datagrams_to_send(now=self._loop.time()):
            if not self._udp.is_closing():
                self._udp.sendto(datagram, address)
        if self._timer is not None:
            self._timer.cancel()
        due = self._quic.get_timer()
        self._timer = None if due is None or self._udp.is_closing() else self._loop.call_at(due, self._ring)
        if self._tunnel is not None and not self._tunnel.over:
            self._crowded(self._quic.get_send_buffer_size(self._id) > CROWDED_OCTETS)

    def _ring(self) -> None:
        self._timer = None
        self._quic.handle_timer(now=self._loop.time())
        self.flush()

    def _note_quic(self, event: QuicEvent) -> None:
        match event:
            case HandshakeCompleted():
                self._h3 = H3Connection(self._quic)
            case ConnectionTerminated():
                self._finish(event.reason_phrase or f"closed with {event.error_code:#x}")
        if self._h3 is not None:
            for heard in self._h3.handle_event(event):
                self._note(heard)
        self._changed.set()

    def _note(self, event: H3Event) -> None:
        match event:
            case HeadersReceived(stream_id=self._id) if self._answer is None:
                self._answered(event.headers)
            case DataReceived(stream_id=self._id):
                self._came(event.data)
                if self._tunnel is not None and self._tunnel.waiting > UNREAD_OCTETS:
                    self._finish("nobody reads")
            case StreamReset(stream_id=self._id) | StopSending(stream_id=self._id):
                self._finish("the stream was reset")
        if getattr(event, "stream_ended", False):
            self._finish("the stream has ended")

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        self._udp = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: Any) -> None:
        """Something came."""
        self._quic.receive_datagram(data, address, now=self._loop.time())
        self.flush()
