"""TLS between a TCP transport and a protocol: a protocol to the one, a transport to the other.

    TCP  ──data_received──>  incoming ─┐            ┌──data_received──>  Doorstep, Link, Parting, Approach
                                       ├─ SSLObject ┤
    TCP  <──────write──────  outgoing ─┘            └<──────write──────

The loop's own TLS asks OpenSSL for more until it says that there is none, by an exception for every read, and copies
through buffers of its own. Here a read that brought whole records costs one call a record, a write one call, and what
arrived at once is delivered at once. Nothing stands in a buffer of ours between two calls, unless reading is paused.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

RECORD = 16 * 1024
"""The longest plaintext of a record (RFC 8446 section 5.1), and how much is encrypted at once."""

GULP = 16 * 1024
"""How much is given to OpenSSL at once: the buffer that it reads from stays as large as it once was."""

Failed = Callable[[Exception | None], None]
"""Told why there is no TLS: TimeoutError, ssl.SSLError, another OSError, or None if the other side just left."""

_NOBODY = asyncio.Protocol()


class TlsTransport:
    """One connection, from the TCP handshake on. Its protocol is told of it when the TLS handshake is done."""

    __slots__ = ("_choked", "_congested", "_deadline", "_decrypt", "_drain", "_encrypt", "_failed", "_feed",
                 "_incoming", "_mute", "_open", "_outgoing", "_over", "_paused", "_protocol", "_raw",
                 "_shaking", "_ssl", "_timer")

    def __init__(
        self, protocol: asyncio.BaseProtocol, context: ssl.SSLContext, server: str | None, deadline: float,
        failed: Failed,
    ) -> None:
        """server: who is dialled, or None if we are. deadline: when the handshake must be done, by the loop's clock.

        Exactly one of `protocol.connection_made` and `failed` will be called. Raises ValueError for a name that
        cannot be that of a server.
        """
        self._protocol = cast(asyncio.Protocol, protocol)
        self._failed: Failed | None = failed
        self._deadline = deadline
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server is None, server)
        # The four steps of every message, looked up once. An SSLObject's own read and write are Python functions that
        # do no more than call these.
        bare = self._ssl._sslobj  # type: ignore[attr-defined]
        self._feed = self._incoming.write
        self._decrypt: Callable[[int], bytes] = bare.read
        self._encrypt: Callable[[bytes | memoryview], int] = bare.write
        self._drain = self._outgoing.read
        self._raw: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._shaking = True
        self._open = False
        """Whether what is read is delivered."""
        self._mute = False
        """Whether nothing is sent any more."""
        self._over = False
        """Whether the other side has said goodbye, or broken the protocol: nothing is read any more."""
        self._paused = False
        self._congested = False
        self._choked = False
        """Whether reading stopped until the other side takes what TLS itself answers."""

    # The handshake.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._timer = asyncio.get_running_loop().call_at(self._deadline, self._late)
        self._shake_hands(b"")

    def _shake_hands(self, data: bytes) -> None:
        self._feed(data)
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._answer()
        except ssl.SSLError as error:
            self._answer()  # with an alert that says why
            self._raw.close()
            self._fail(error)
        else:
            self._begin()

    def _begin(self) -> None:
        self._end_handshake()
        self._open = True
        self._answer()
        self._protocol.connection_made(cast(asyncio.Transport, self))
        if self._open:
            self._read_on()

    def _end_handshake(self) -> None:
        self._shaking = False
        self._failed = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._raw.abort()
        self._fail(TimeoutError("TLS handshake timed out"))

    def _fail(self, error: Exception | None) -> None:
        failed = self._failed
        self._end_handshake()
        self._protocol = _NOBODY
        if failed is not None:
            failed(error)

    # From TCP.

    def data_received(self, data: bytes) -> None:
        if not self._open:
            if self._shaking:
                self._shake_hands(data)
        elif self._paused:
            self._feed(data)  # what was on its way when reading stopped
        else:
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        parts: list[bytes] = []
        if len(data) <= GULP:
            self._feed(data)
            self._read_records(parts)
        else:
            for at in range(0, len(data), GULP):
                self._feed(memoryview(data)[at : at + GULP])
                self._read_records(parts)
        self._deliver(parts)

    def _read_records(self, parts: list[bytes]) -> None:
        """Take what the records that are whole by now hold."""
        try:
            while self._incoming.pending:  # with whole records OpenSSL is never asked in vain
                part = self._decrypt(RECORD)
                if not part:
                    self._over = True
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._over = True

    def _deliver(self, parts: list[bytes]) -> None:
        if self._outgoing.pending:
            self._answer()
        if parts:
            self._protocol.data_received(parts[0] if len(parts) == 1 else b"".join(parts))
        if self._over and self._open:
            self._end()

    def _answer(self) -> None:
        """Send what TLS itself has to say: handshakes, tickets, alerts, new keys."""
        answer = self._drain()
        if answer and not self._mute:
            self._raw.write(answer)
            if self._congested and not self._choked:
                # Whoever asks for new keys on and on (RFC 8446 section 4.6.3) shall take the answers, too.
                self._choked = True
                self._raw.pause_reading()

    def _read_on(self) -> None:
        if self._open and not self._paused and self._incoming.pending:
            self._receive(b"")

    def eof_received(self) -> bool:
        if self._open:
            self._end()
        return False

    def _end(self) -> None:
        # A connection that is cut without a goodbye ends as well: what is carried here knows by itself where it ends.
        self._protocol.eof_received()
        self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._open, self._mute = False, True
        if self._shaking:
            self._fail(error)
        protocol, self._protocol = self._protocol, _NOBODY  # no cycles that a collection would have to find
        protocol.connection_lost(error)

    def pause_writing(self) -> None:
        self._congested = True
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._congested = False
        if self._choked:
            self._choked = False
            if not self._paused:
                self._raw.resume_reading()
        self._protocol.resume_writing()

    # For the protocol: an asyncio.Transport by its methods.

    def write(self, data: bytes) -> None:
        if self._mute or not data:
            return
        try:
            sent = self._encrypt(data if len(data) <= RECORD else memoryview(data)[:RECORD])
            while sent < len(data):
                self._raw.write(self._drain())
                sent += self._encrypt(memoryview(data)[sent : sent + RECORD])
        except ssl.SSLError:
            self.abort()
        else:
            self._raw.write(self._drain())

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Say goodbye; what still comes is delivered (RFC 8446 section 6.1)."""
        if not self._mute:
            self._say_goodbye()
            self._raw.write_eof()

    def _say_goodbye(self) -> None:
        with suppress(ssl.SSLError):  # the other side's goodbye is not here yet, or it has broken the protocol
            self._ssl.unwrap()
        self._answer()
        self._mute = True

    def close(self) -> None:
        if self._open:
            self._open = False
            if not self._mute:
                self._say_goodbye()
            self._raw.close()

    def abort(self) -> None:
        self._open, self._mute = False, True
        self._raw.abort()

    def is_closing(self) -> bool:
        return not self._open or self._raw.is_closing()

    def pause_reading(self) -> None:
        self._paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        if not self._paused:
            return
        self._paused = False
        if not self._choked:
            self._raw.resume_reading()
        if self._incoming.pending:
            asyncio.get_running_loop().call_soon(self._read_on)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As of the TCP transport, and `ssl_object`."""
        return self._ssl if name == "ssl_object" else self._raw.get_extra_info(name, default)
