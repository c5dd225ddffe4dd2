"""The default QUIC engine: qh3, whose core is in Rust.

The core's events are tuples; they are taken as they come, past the library's own objects for them, its logging and its
splitting of datagrams, which is needed for the handshake only. The core credits what it hands out at once: how much a
stream may hold that nobody has consumed is therefore capped (QuicTerms.stream_cap).
"""

import logging
from typing import Any, Final

from qh3._hazmat import pull_quic_header
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection, QuicConnectionState
from qh3.quic.events import HandshakeCompleted
from qh3.quic.tls_bridge import QuicTlsBridgeError
from qh3.tls import Epoch

from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.credentials import Credentials, choose
from sbc.wire.http3.engine import Address, Beginning, QuicOwner, QuicTerms
from sbc.wire.http3.frames import Fault
from sbc.wire.http3.invariants import CONNECTION_ID_OCTETS, VERSIONS
from sbc.wire.http3.layer import HttpLayer

_INTERNAL_ERROR: Final = 0x1
"""RFC 9000 section 20.1."""
_PING: Final = 1
_BLOCKED_WAIT: Final = 0.25

# It warns of each connection that its client closes.
logging.getLogger("quic").setLevel(logging.CRITICAL)


def configuration(terms: QuicTerms, credentials: Credentials) -> QuicConfiguration:
    """What the library has to know of a server's connections."""
    return QuicConfiguration(
        is_client=False, alpn_protocols=["h3"], idle_timeout=terms.idle, max_data=terms.connection_window,
        max_stream_data=terms.stream_window, max_datagram_frame_size=65535 if terms.webtransport else None,
        certificate=credentials.first.leaf, certificate_chain=credentials.first.chain,
        private_key=credentials.first.key,
    )  # fmt: skip


class _Connection(QuicConnection):
    """The library's, with its events taken by an engine."""

    def __init__(self, engine: "RustEngine", terms: QuicTerms, credentials: Credentials,
                 beginning: Beginning) -> None:
        super().__init__(
            configuration=configuration(terms, credentials), original_destination_connection_id=beginning.original,
            retry_source_connection_id=beginning.retried)
        self.host_cid = beginning.connection_id
        self._first_destination = beginning.retried or beginning.original
        self._engine = engine
        self._credentials = credentials

    def _create_tls(self, remote_source_cid: bytes | None) -> Any:
        bridge = super()._create_tls(remote_source_cid)
        choose(bridge.tls, self._credentials, self._engine.asked_for)
        return bridge

    @property
    def core(self) -> Any:
        return self._core

    @property
    def shaken(self) -> bool:
        return self._handshake_complete

    def receive_datagram(self, data: bytes, addr: Address, now: float) -> None:
        """One of the handshake: its packets are taken one by one, as each may bring the keys for the next."""
        if self._core is None:
            self._remote_addr, self._version = addr, VERSIONS[0]
            self._create_core(addr, self._first_destination, now)
            self._create_tls(None)
        core = self._require_core()
        at = 0
        while at < len(data):
            end = self._packet_end(data, at)
            core.receive_datagram(data[at:end], addr, now, len(data))
            self._learn_remote_source_cid(data[at:end])
            self._drain_core()
            at = end

    def _packet_end(self, data: bytes, at: int) -> int:
        """Where the packet ends that stands at `data[at]`; padding behind the last one is part of it, or the core would
        not count it for what may be sent to an address that is not proven (RFC 9000 section 8.1)."""
        try:
            end = pull_quic_header(data, at, CONNECTION_ID_OCTETS)[9]
            pull_quic_header(data, end, CONNECTION_ID_OCTETS)
        except ValueError:
            return len(data)
        return end if end > at else len(data)

    def _drain_core(self) -> None:
        engine, core = self._engine, self._core
        assert core is not None
        while True:
            event = core.next_event()
            if event is None:
                return
            if event[0] == "stream_data":
                engine.took(event[1], event[2], event[3])
            elif event[0] == "crypto_data":
                self._shake(event)
            else:
                engine.heard(event)

    def _shake(self, event: tuple[Any, ...]) -> None:
        """A piece of TLS."""
        assert self._tls is not None and self._core is not None
        try:
            self._tls.receive_crypto(Epoch(event[1]), event[3], event[2], version=self._core.version)
            self._drain_tls()
        except QuicTlsBridgeError as fault:
            self._core.close(fault.error_code, int(fault.frame_type), b"")
            self._engine.broken(fault.reason_phrase)
            return
        while self._events:
            if isinstance(self._events.popleft(), HandshakeCompleted):
                self._engine.complete()

    def closed(self) -> None:
        """It is at its end."""
        self._state = QuicConnectionState.TERMINATED


class RustEngine(HttpLayer):
    """Implements QuicEngine."""

    def __init__(self, owner: QuicOwner, terms: QuicTerms, credentials: Credentials, beginning: Beginning) -> None:
        super().__init__(owner, terms)
        self._connection = _Connection(self, terms, credentials, beginning)
        self._core: Any = None
        self._source: Address | None = None
        """Where the client is."""
        self._name = ""
        self._waiting = 0
        """At most how many bytes of messages have not been sent yet."""
        self._blocked: float | None = None
        """Since when the core has not been able to send for want of datagrams from the client."""

    # Datagrams and the clock.

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        connection = self._connection
        self._blocked = None
        try:
            if connection.shaken:
                self._core.receive_datagram(datagram, source, now, len(datagram))
                connection._drain_core()
            else:
                connection.receive_datagram(datagram, source, now)
                self._core = connection.core
                self._source = source
        except Fault as fault:
            self._fail(fault)
        except Exception as fault:
            # A library that stumbles over what a client sent: the client's fault, for all that is known.
            self._stumble(fault)
        self._settle()

    def outgoing(self, now: float) -> list[tuple[bytes, Address]]:
        if self._core is None:
            return []
        poll = self._core.poll_transmit
        datagrams = []
        try:
            while (transmit := poll(now)) is not None:
                datagrams.append((transmit[0], transmit[1]))
                if self._waiting:
                    self._waiting = max(0, self._waiting - len(transmit[0]))
        except RuntimeError:
            # How the core says that it may not send as much as a packet to an address that is not proven.
            self._blocked = now
        self._settle()
        return datagrams

    def due(self) -> float | None:
        timer = None if self._core is None else self._core.get_timer()
        if timer is None:
            return None
        due: float = timer[1]
        # RFC 9002 section 6.2.2.1: who may not send does not wait for a chance to.
        return due if self._blocked is None else max(due, self._blocked + _BLOCKED_WAIT)

    def ring(self, now: float) -> None:
        if self._core is None:
            return
        try:
            self._core.handle_timer(now)
            self._connection._drain_core()
        except Fault as fault:
            self._fail(fault)
        except Exception as fault:
            self._stumble(fault)
        self._settle()

    def _stumble(self, fault: Exception) -> None:
        if self._core is not None and not self._over:
            self._core.close(_INTERNAL_ERROR, None, b"")
        self.broken(f"{type(fault).__name__}: {fault}")

    # Facts.

    def took(self, stream: int, data: bytes, end: bool) -> None:
        """Bytes of a stream."""
        if not self._over:
            self._came(stream, data, end)

    def asked_for(self, name: str) -> None:
        """The client's ClientHello is here."""
        self._name = name

    def complete(self) -> None:
        """The handshake is."""
        if not self._over:
            self._begin()
            self._owner.shaken(self._name)

    def broken(self, reason: str) -> None:
        """The client broke the protocol of QUIC or TLS."""
        self._end(H2Error.PROTOCOL_ERROR, reason)

    def heard(self, event: tuple[Any, ...]) -> None:
        """An event of the core's that is not bytes."""
        if self._over:
            if event[0] == "connection_terminated":
                self._connection.closed()
            return
        match event[0]:
            case "stream_reset":
                self._was_reset(event[1], event[2])
            case "stop_sending":
                self._was_stopped(event[1], event[2])
            case "datagram":
                self._came_datagram(event[1])
            case "ping_acknowledged":
                self._owner.pong()
            case "connection_id_issued":
                self._owner.issued(event[1])
            case "connection_id_retired":
                self._owner.retired(event[1])
            case "path_validated" | "peer_migration":
                self._look_where()
            case "peer_closed":
                self._end(H2Error.NO_ERROR, f"closed by the client: {event[2]:#x}")
            case "protocol_error":
                self.broken(str(event[3]))
            case "connection_terminated":
                self._connection.closed()
                self._end(H2Error.NO_ERROR, "silence")

    def _look_where(self) -> None:
        where = self._core.active_path[2]
        if where != self._source:
            self._source = where
            self._owner.moved(where)

    # Orders.

    def _put(self, stream: int, data: bytes, end: bool) -> None:
        try:
            self._core.send_stream(stream, data, end)
        except (ValueError, RuntimeError):
            return  # the client does not want it any more, as the next fact will say

    def _cut(self, stream: int, code: int) -> None:
        try:
            self._core.reset_stream(stream, code)
        except ValueError:
            return  # it is complete

    def _stop(self, stream: int, code: int) -> None:
        try:
            self._core.stop_sending(stream, code)
        except ValueError:
            return  # it is complete

    def _open(self, *, both_ways: bool) -> int:
        try:
            return int(self._core.open_stream(not both_ways))
        except ValueError:
            return -1  # the client takes no more

    def _shut(self, code: int, reason: str) -> None:
        if self._core is not None:
            self._core.close(code, None, reason.encode())

    def _message(self, data: bytes) -> None:
        core = self._core
        # The core would keep any number of them.
        if self._waiting + len(data) > core.congestion_window - core.bytes_in_flight:
            return
        try:
            core.send_datagram(data)
        except ValueError:
            return  # not taken by the client
        self._waiting += len(data)

    def _quiet(self) -> bool:
        core = self._core
        return bool(core is not None and not core.get_send_buffer_size() and not core.bytes_in_flight)

    def queued(self, stream: int) -> int:
        return int(self._core.get_send_buffer_size(stream)) if self._core is not None else 0

    def ping(self) -> None:
        if self._core is not None and not self._over:
            self._core.send_ping(_PING)
