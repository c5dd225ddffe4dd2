"""The other QUIC engine: aioquic, in Python. Slower by far, independent of the default one, and open to its user.

Its windows would double as data comes, consumed or not; here they open only for what was consumed, so that a slow node
slows its client. All connection ids begin with the worker's number, those that are issued later, too.
"""

import logging
import os
from typing import Any, Final

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    CONNECTION_LIMIT_FRAME_CAPACITY,
    MAX_STREAM_DATA_FRAME_CAPACITY,
    Limit,
    QuicConnection,
    QuicConnectionId,
    QuicConnectionState,
)
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    DatagramFrameReceived,
    HandshakeCompleted,
    PingAcknowledged,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.packet import QuicFrameType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.stream import QuicStream

from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.credentials import Credentials, choose
from sbc.wire.http3.engine import Address, Beginning, QuicOwner, QuicTerms
from sbc.wire.http3.frames import Fault
from sbc.wire.http3.invariants import CONNECTION_ID_OCTETS, VERSIONS
from sbc.wire.http3.layer import HttpLayer

_INTERNAL_ERROR: Final = 0x1
_MOST_IDS: Final = 8
_MOST_WAITING: Final = 256
"""Datagrams that wait to be sent; they are unreliable."""
_PING: Final = 1

# It warns of each connection that breaks the protocol, and says much else.
logging.getLogger("quic").setLevel(logging.CRITICAL)


def configuration(terms: QuicTerms, credentials: Credentials) -> QuicConfiguration:
    """What the library has to know of a server's connections."""
    return QuicConfiguration(
        is_client=False, alpn_protocols=["h3"], idle_timeout=terms.idle, max_data=terms.connection_window,
        max_stream_data=terms.stream_window, max_datagram_frame_size=65535 if terms.webtransport else None,
        certificate=credentials.first.leaf, certificate_chain=credentials.first.chain,
        private_key=credentials.first.key, supported_versions=list(VERSIONS),
    )  # fmt: skip


class _Connection(QuicConnection):
    """The library's, with windows and connection ids of the edge's."""

    def __init__(self, engine: "PythonEngine", terms: QuicTerms, credentials: Credentials,
                 beginning: Beginning) -> None:
        super().__init__(
            configuration=configuration(terms, credentials), original_destination_connection_id=beginning.original,
            retry_source_connection_id=beginning.retried)
        self._engine = engine
        self._credentials = credentials
        self._stream_window = terms.stream_window
        self._connection_window = terms.connection_window
        self.host_cid = self._host_cids[0].cid = beginning.connection_id
        self._local_initial_source_connection_id = beginning.connection_id
        self._worker = beginning.connection_id[:1]
        self._retried = beginning.retried is not None
        self._local_max_streams_bidi.value = self._local_max_streams_bidi.sent = terms.max_streams

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        choose(self.tls, self._credentials, self._engine.asked_for)
        # Who sends a Retry's token back is where he says he is (RFC 9000 section 8.1.2).
        self._network_paths[0].is_validated = self._network_paths[0].is_validated or self._retried

    def _replenish_connection_ids(self) -> None:
        while len(self._host_cids) < min(_MOST_IDS, self._remote_active_connection_id_limit):
            self._host_cids.append(QuicConnectionId(
                cid=self._worker + os.urandom(CONNECTION_ID_OCTETS - 1), sequence_number=self._host_cid_seq,
                stateless_reset_token=os.urandom(16)))
            self._host_cid_seq += 1

    # Windows.

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: Any, stream: QuicStream) -> None:
        if not stream.max_stream_data_local or stream.receiver.is_finished or stream.stream_id is None:
            return
        limit = stream.receiver.starting_offset() - self._engine.held(stream.stream_id) + self._stream_window
        if limit - stream.max_stream_data_local >= self._stream_window // 2:
            stream.max_stream_data_local = limit
        elif stream.max_stream_data_local_sent:  # 0: the frame that said so is lost
            return
        buf = builder.start_frame(
            QuicFrameType.MAX_STREAM_DATA, capacity=MAX_STREAM_DATA_FRAME_CAPACITY,
            handler=self._on_max_stream_data_delivery, handler_args=(stream,))
        buf.push_uint_var(stream.stream_id)
        buf.push_uint_var(stream.max_stream_data_local)
        stream.max_stream_data_local_sent = stream.max_stream_data_local

    def _write_connection_limits(self, builder: QuicPacketBuilder, space: Any) -> None:
        data = self._local_max_data
        if data.value - data.used < self._connection_window // 2:
            limit = data.used - self._gaps() - self._engine.held_together() + self._connection_window
            if limit - data.value >= self._connection_window // 4:
                data.value = limit
        if data.value != data.sent:
            self._write_limit(builder, data)
        for limits in (self._local_max_streams_bidi, self._local_max_streams_uni):
            # Only if that gives the client more than it still has.
            if limits.sent - limits.used < limits.value - limits.sent:
                self._write_limit(builder, limits)

    def _gaps(self) -> int:
        """Bytes that were received of streams and cannot be told of yet, with those that are missing before them."""
        receivers = [stream.receiver for stream in self._streams.values()]
        return sum([each.highest_offset - each.starting_offset() for each in receivers if not each.is_finished])

    def _write_limit(self, builder: QuicPacketBuilder, limit: Limit) -> None:
        buf = builder.start_frame(
            limit.frame_type, capacity=CONNECTION_LIMIT_FRAME_CAPACITY, handler=self._on_connection_limit_delivery,
            handler_args=(limit,))
        buf.push_uint_var(limit.value)
        limit.sent = limit.value

    # What the library does not tell.

    @property
    def ending(self) -> ConnectionTerminated | None:
        """How the connection ends, as soon as that is known."""
        return self._close_event

    @property
    def by_client(self) -> bool:
        """Whether the client has closed it."""
        return self._state is QuicConnectionState.DRAINING

    @property
    def where(self) -> Address | None:
        """Where the client has shown to be."""
        path = self._network_paths[0] if self._network_paths else None
        return path.addr if path is not None and path.is_validated else None

    def unsent(self, stream: int) -> int:
        """How many bytes wait on a stream."""
        state = self._streams.get(stream)
        if state is None or state.sender.buffer_is_empty:
            return 0
        return sum([part.stop - part.start for part in state.sender._pending])

    def takes(self, stream: int) -> bool:
        """Whether the client lets us open this stream."""
        return stream >> 2 < (self._remote_max_streams_uni if stream & 2 else self._remote_max_streams_bidi)

    def is_quiet(self) -> bool:
        """Whether the client has confirmed all that was sent."""
        senders = [stream.sender for stream in self._streams.values()]
        waiting = [sender for sender in senders if sender.reset_pending or not sender.buffer_is_empty]
        return not self._loss.bytes_in_flight and not waiting

    def has_room(self) -> bool:
        """Whether one more datagram may wait."""
        return len(self._datagrams_pending) < _MOST_WAITING and self._remote_max_datagram_frame_size is not None


class PythonEngine(HttpLayer):
    """Implements QuicEngine."""

    def __init__(self, owner: QuicOwner, terms: QuicTerms, credentials: Credentials, beginning: Beginning) -> None:
        super().__init__(owner, terms)
        self._connection = _Connection(self, terms, credentials, beginning)
        self._source: Address | None = None
        self._name = ""
        self._reached = False
        """Whether a datagram has come."""

    # Datagrams and the clock.

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        self._reached = True
        try:
            self._connection.receive_datagram(datagram, source, now)
        except Exception as fault:
            # A library that stumbles over what a client sent: the client's fault, for all that is known.
            self._connection.close(_INTERNAL_ERROR)
            self._end(H2Error.PROTOCOL_ERROR, f"{type(fault).__name__}: {fault}")
        self._listen()
        where = self._connection.where
        if where is not None and where != self._source:
            if self._source is not None and not self._over:
                self._owner.moved(where)
            self._source = where

    def outgoing(self, now: float) -> list[tuple[bytes, Address]]:
        if not self._reached:
            return []
        datagrams: list[tuple[bytes, Address]] = self._connection.datagrams_to_send(now)
        self._listen()
        return datagrams

    def due(self) -> float | None:
        return self._connection.get_timer() if self._reached else None

    def ring(self, now: float) -> None:
        if self.due() is not None:
            self._connection.handle_timer(now)
            self._listen()

    # Facts.

    def asked_for(self, name: str) -> None:
        """The client's ClientHello is here."""
        self._name = name

    def held(self, stream: int) -> int:
        """How many bytes of a stream were told of and not consumed."""
        state = self._streams.get(stream)
        return getattr(state, "unconsumed", 0)

    def held_together(self) -> int:
        """The same of all streams."""
        return self._unconsumed

    def _listen(self) -> None:
        """Tell of what the library tells."""
        connection = self._connection
        while (event := connection.next_event()) is not None:
            if self._over:
                continue
            try:
                if isinstance(event, StreamDataReceived):
                    self._came(event.stream_id, event.data, event.end_stream)
                else:
                    self._hear(event)
            except Fault as fault:
                self._fail(fault)
        ending = connection.ending
        if ending is not None and not self._over:
            silence = connection.by_client or connection.get_timer() is None
            code = H2Error.NO_ERROR if silence else H2Error.PROTOCOL_ERROR
            who = "closed by the client: " if connection.by_client else ""
            self._end(code, f"{who}{ending.error_code:#x} {ending.reason_phrase}")
        self._settle()

    def _hear(self, event: QuicEvent) -> None:
        match event:
            case StreamReset():
                self._was_reset(event.stream_id, event.error_code)
            case StopSendingReceived():
                self._was_stopped(event.stream_id, event.error_code)
            case DatagramFrameReceived():
                self._came_datagram(event.data)
            case PingAcknowledged():
                self._owner.pong()
            case ConnectionIdIssued():
                self._owner.issued(event.connection_id)
            case ConnectionIdRetired():
                self._owner.retired(event.connection_id)
            case HandshakeCompleted():
                self._begin()
                self._owner.shaken(self._name)

    # Orders.

    def _put(self, stream: int, data: bytes, end: bool) -> None:
        try:
            self._connection.send_stream_data(stream, data, end)
        except (ValueError, RuntimeError):
            return  # the client does not want it any more, as the next fact will say

    def _cut(self, stream: int, code: int) -> None:
        try:
            self._connection.reset_stream(stream, code)
        except ValueError:
            return  # it is complete

    def _stop(self, stream: int, code: int) -> None:
        try:
            self._connection.stop_stream(stream, code)
        except ValueError:
            return  # it is complete

    def _open(self, *, both_ways: bool) -> int:
        stream = self._connection.get_next_available_stream_id(is_unidirectional=not both_ways)
        return stream if self._connection.takes(stream) else -1

    def _shut(self, code: int, reason: str) -> None:
        self._connection.close(code, None, reason)

    def _message(self, data: bytes) -> None:
        if self._connection.has_room():
            self._connection.send_datagram_frame(data)

    def _quiet(self) -> bool:
        return self._connection.is_quiet()

    def queued(self, stream: int) -> int:
        return self._connection.unsent(stream)

    def ping(self) -> None:
        if not self._over:
            self._connection.send_ping(_PING)
