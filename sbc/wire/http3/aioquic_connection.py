"""aioquic's connection with windows and connection ids of the edge's.

Its windows would double as data comes, consumed or not; here they open only for what was consumed, so that a slow node
slows its client. All connection ids begin with the worker's number, those that are issued later, too.
"""

import os
from typing import Any, Final, Protocol

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    CONNECTION_LIMIT_FRAME_CAPACITY,
    MAX_STREAM_DATA_FRAME_CAPACITY,
    Limit,
    QuicConnection,
    QuicConnectionId,
    QuicConnectionState,
)
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicFrameType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.stream import QuicStream

from sbc.wire.http3.credentials import Credentials, choose
from sbc.wire.http3.engine import Address, Beginning, QuicTerms
from sbc.wire.http3.invariants import CONNECTION_ID_OCTETS, VERSIONS

_MOST_IDS: Final = 8
_MOST_WAITING: Final = 256
"""Datagrams that wait to be sent; they are unreliable."""


class Windows(Protocol):
    """Who knows what was consumed."""

    def asked_for(self, name: str) -> None:
        """The client's ClientHello is here."""

    def held(self, stream: int) -> int:
        """How many bytes of a stream were told of and not consumed."""

    def held_together(self) -> int:
        """The same of all streams."""


def configuration(terms: QuicTerms, credentials: Credentials) -> QuicConfiguration:
    """What the library has to know of a server's connections."""
    return QuicConfiguration(
        is_client=False, alpn_protocols=["h3"], idle_timeout=terms.idle, max_data=terms.connection_window,
        max_stream_data=terms.stream_window, max_datagram_frame_size=65535 if terms.webtransport else None,
        certificate=credentials.first.leaf, certificate_chain=credentials.first.chain,
        private_key=credentials.first.key, supported_versions=list(VERSIONS),
    )  # fmt: skip


class Connection(QuicConnection):
    """The library's, with windows and connection ids of the edge's."""

    def __init__(self, engine: Windows, terms: QuicTerms, credentials: Credentials,
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
        elif stream.max_stream_data_local == stream.max_stream_data_local_sent:  # else a frame is lost, or had no room
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
    def begun(self) -> bool:
        """Whether an Initial was taken; before, the library can be asked for nothing."""
        return bool(self._network_paths)

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

    def release(self) -> None:
        """Let go of everything. Of no use any more."""
        self.__dict__.clear()
