"""The other QUIC engine: aioquic, in Python. Slower by far, independent of the default one, and open to its user."""

import logging
import sys
from typing import Final

from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    DatagramFrameReceived,
    HandshakeCompleted,
    PingAcknowledged,
    ProtocolNegotiated,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)

from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.aioquic_connection import Connection
from sbc.wire.http3.credentials import Credentials
from sbc.wire.http3.engine import Address, Beginning, QuicOwner, QuicTerms
from sbc.wire.http3.frames import Fault
from sbc.wire.http3.hub import Sender
from sbc.wire.http3.layer import HttpLayer

_INTERNAL_ERROR: Final = 0x1
"""RFC 9000 section 20.1."""
_PING: Final = 1

# It warns of each connection that breaks the protocol, and says much else.
logging.getLogger("quic").setLevel(logging.CRITICAL)


class PythonEngine(HttpLayer):
    """Implements QuicEngine."""

    most_moves = sys.maxsize

    def __init__(self, owner: QuicOwner, terms: QuicTerms, credentials: Credentials, beginning: Beginning) -> None:
        super().__init__(owner, terms)
        self._connection = Connection(self, terms, credentials, beginning)
        self._source: Address | None = None
        self._name = ""

    # Datagrams and the clock.

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        try:
            self._connection.receive_datagram(datagram, source, now)
        except Exception as fault:
            self._stumble(fault)
        self._listen()
        where = self._connection.where
        if where is not None and where != self._source:
            if self._source is not None and not self._over:
                self._owner.moved(where)
            self._source = where

    def outgoing(self, now: float) -> list[tuple[bytes, Address]]:
        datagrams = self._poll(now)
        before = self._over
        self._listen(flushed=True)
        return datagrams if self._over is before else datagrams + self._poll(now)

    def _poll(self, now: float) -> list[tuple[bytes, Address]]:
        if self._connection.begun:
            try:
                return list(self._connection.datagrams_to_send(now))
            except Exception as fault:
                self._stumble(fault)
        return []

    def due(self) -> float | None:
        return self._connection.get_timer() if self._connection.begun else None

    def ring(self, now: float) -> None:
        if self.due() is not None:
            self._connection.handle_timer(now)
            self._listen()

    def release(self) -> None:
        super().release()
        self._connection.release()

    def _stumble(self, fault: Exception) -> None:
        """The library could not make sense of what a client sent: the client's fault, for all that is known."""
        self._connection.close(_INTERNAL_ERROR)
        self._end(H2Error.PROTOCOL_ERROR, f"{type(fault).__name__}: {fault}")

    # Facts.

    def asked_for(self, name: str) -> None:
        """The client's ClientHello is here."""
        self._name = name

    def held(self, stream: int) -> int:
        """How many bytes of a stream were told of and not consumed."""
        state = self._streams.get(stream)
        return state.unconsumed if isinstance(state, Sender) else 0

    def held_together(self) -> int:
        """The same of all streams."""
        return self._unconsumed

    def _listen(self, *, flushed: bool = False) -> None:
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
        self._settle(flushed=flushed)

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
            case ProtocolNegotiated():
                self._begin()
            case HandshakeCompleted():
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

    def _can_open(self) -> bool:
        return self._connection.takes(self._connection.get_next_available_stream_id())

    def _shut(self, code: int, reason: str) -> None:
        self._connection.close(code, None, reason)

    def _message(self, data: bytes) -> None:
        if self._connection.has_room():
            self._connection.send_datagram_frame(data)

    def _quiet(self) -> bool:
        return self._connection.is_quiet()

    def queued(self, stream: int) -> int:
        return 0 if self._over else self._connection.unsent(stream)

    def ping(self) -> None:
        if not self._over:
            self._connection.send_ping(_PING)
