"""The default QUIC engine: qh3, whose core is in Rust.

The core credits what it hands out at once: how much a stream may hold that nobody has consumed is therefore capped
(QuicTerms.stream_cap). What is lost on the way it (2.1.0) does not always make good:

- The end of a stream that was alone in its frame is never sent again if data before it is not confirmed yet. So an end
  is never alone: a frame that means nothing goes with it; on a stream without frames it waits for the confirmation.
- A stream may be forgotten too early: qh3_losses.py.

To an address that a client has left, and comes back to, it does not go again by itself: qh3_paths.py.
"""

import logging
from typing import Any, Final

from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.credentials import Credentials
from sbc.wire.http3.engine import Address, Beginning, QuicOwner, QuicTerms
from sbc.wire.http3.frames import Fault, H3Error
from sbc.wire.http3.layer import HttpLayer
from sbc.wire.http3.qh3_connection import Connection
from sbc.wire.http3.qh3_losses import Losses
from sbc.wire.http3.qh3_paths import Paths
from sbc.wire.http3.request_stream import Request

_INTERNAL_ERROR: Final = 0x1
"""RFC 9000 section 20.1."""
_PANIC: Final = "PanicException"
_PING: Final = 1
_BLOCKED_WAIT: Final = 0.25
"""Seconds."""
_STUMBLES: Final = 4
_NOTHING: Final = b"\x21\x00"
"""An empty frame of a type that is reserved for being ignored (RFC 9114 section 7.2.8)."""

# It warns of each connection that its client closes.
logging.getLogger("quic").setLevel(logging.CRITICAL)


class RustEngine(HttpLayer):
    """Implements QuicEngine."""

    # Its table of paths has four entries, and none is ever taken out.
    most_moves = 3

    def __init__(self, owner: QuicOwner, terms: QuicTerms, credentials: Credentials, beginning: Beginning) -> None:
        super().__init__(owner, terms)
        self._connection = Connection(self, terms, credentials, beginning)
        self._core: Any = None
        self._paths: Paths
        """From the first datagram on."""
        self._name = ""
        self._ends: set[int] = set()
        """Streams without frames that end once all they have sent is confirmed."""
        self._losses = Losses()
        self._waiting = 0
        """At most how many bytes of messages have not been sent yet."""
        self._blocked: float | None = None
        """Since when the core has not been able to send for want of datagrams from the client."""

    # Datagrams and the clock.

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        self._blocked = None
        connection = self._connection
        try:
            if connection.shaken:
                self._core.receive_datagram(datagram, self._paths.named(source, now), now, len(datagram))
                if not self._losses.deaf:
                    connection.drain()
            else:
                if self._core is None:
                    self._paths = Paths(source)
                connection.receive_datagram(datagram, source, now)
                self._core = connection.core
        except BaseException as fault:
            self._stumble(fault)
        self._settle()

    def outgoing(self, now: float) -> list[tuple[bytes, Address]]:
        if self._core is None:
            return []
        datagrams = self._poll(now)
        again = self._core is not None and (self._hear(now) or self._end_confirmed())
        before = self._over
        self._settle(flushed=True)
        return datagrams + self._poll(now) if again or self._over is not before else datagrams

    def _hear(self, now: float) -> bool:
        """Be told what had to wait, if that is safe now."""
        if not self._losses.look(self._core, now):
            return False
        try:
            self._connection.drain()
        except BaseException as fault:
            self._stumble(fault)
        return True

    def _end_confirmed(self) -> bool:
        """End the streams without frames that wait for it, if all is confirmed."""
        if not self._ends or not self._quiet():
            return False
        while self._ends:
            self._send_stream(self._ends.pop(), b"", True)
        return True

    def _poll(self, now: float) -> list[tuple[bytes, Address]]:
        datagrams: list[tuple[bytes, Address]] = []
        stumbles = 0
        while self._core is not None:
            try:
                transmit = self._core.poll_transmit(now)
            except RuntimeError:
                # How the core says that it may not send as much as a packet to an address that is not proven.
                self._blocked = now
                break
            except ValueError:
                # On a very bad path (qh3_losses.py): the core has lost what was to go into that datagram, for good. A
                # stream that stands still for ever is the worst that a client can be given: it is told to come back.
                stumbles += 1
                if stumbles == 1:
                    self._core.close(H3Error.INTERNAL_ERROR, None, b"")
                    self._end(H2Error.NO_ERROR, "the engine has lost what was to be sent")
                if stumbles < _STUMBLES:
                    continue
                break
            if transmit is None:
                break
            datagrams.append((transmit[0], self._paths.real(transmit[1])))
            if self._waiting:
                self._waiting = max(0, self._waiting - len(transmit[0]))
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
            if not self._losses.deaf:
                self._connection.drain()
        except BaseException as fault:
            self._stumble(fault)
        self._settle()

    def release(self) -> None:
        super().release()
        self._core = None
        self._connection.release()

    def _stumble(self, fault: BaseException) -> None:
        """The client broke the protocol; or the library could not make sense of what it sent, which is its fault, too,
        for all that is known. A panic of Rust's is not derived from Exception."""
        if isinstance(fault, Fault):
            self._fail(fault)
            return
        if not isinstance(fault, Exception) and type(fault).__name__ != _PANIC:
            raise fault
        self._core = self._connection.core
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

    def met(self) -> None:
        """The hello was taken."""
        self._core = self._connection.core
        if not self._over:
            self._begin()

    def complete(self) -> None:
        """The handshake is."""
        if not self._over:
            self._owner.shaken(self._name)

    def broken(self, reason: str) -> None:
        """The client broke the protocol of QUIC or TLS."""
        self._end(H2Error.PROTOCOL_ERROR, reason)

    def heard(self, event: tuple[Any, ...]) -> None:
        """An event of the core's that is not bytes."""
        if self._over:
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
                self._end(H2Error.NO_ERROR, "silence")

    def _look_where(self) -> None:
        if self._paths.moved(self._core.active_path[2]):
            self._owner.moved(self._paths.where)

    # Orders.

    def _put(self, stream: int, data: bytes, end: bool) -> None:
        if end and not data:
            if type(self._streams.get(stream)) is Request:
                data = _NOTHING
            elif not self._quiet():
                self._ends.add(stream)
                return
        self._send_stream(stream, data, end)

    def _send_stream(self, stream: int, data: bytes, end: bool) -> None:
        try:
            self._core.send_stream(stream, data, end)
        except (ValueError, RuntimeError):
            return  # the client does not want it any more, as the next fact will say

    def _cut(self, stream: int, code: int) -> None:
        self._ends.discard(stream)
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

    def _can_open(self) -> bool:
        allowed, _, opened, _ = self._core.stream_limits
        return bool(opened < allowed)

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
