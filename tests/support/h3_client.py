"""An HTTP/3 client on aioquic or qh3, independent of the edge: requests, WebSockets, WebTransport, and other networks.

One UDP socket, read by the event loop; what comes is written down, and a test waits for it with `until`. `rebind` gives
the client another address in the middle of everything, as a NAT or another network would; `mangle` and `deaf` spoil
what goes out and what comes in.
"""

import asyncio
import itertools
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import aioquic.h3.connection
import aioquic.quic.configuration
import aioquic.quic.connection
import aioquic.quic.events
import qh3.h3.connection
import qh3.quic.configuration
import qh3.quic.connection
import qh3.quic.events

from tests.support.answer import Answer, Fields
from tests.support.wait import PATIENCE, wait_until

GOAWAY = 0x7
NO_ERROR, REQUEST_CANCELLED = 0x100, 0x10C
"""RFC 9114 section 8.1."""


class _Patient(aioquic.quic.connection.QuicConnection):
    """One that opens no windows again for what came."""

    def _write_stream_limits(self, *_: Any, **__: Any) -> None:
        pass

    def _write_connection_limits(self, *_: Any, **__: Any) -> None:
        pass


def _library(module: Any) -> SimpleNamespace:
    return SimpleNamespace(
        configuration=module.quic.configuration.QuicConfiguration, connection=module.quic.connection.QuicConnection,
        quic=module.quic.events,
        h3=module.h3.connection.H3Connection)


LIBRARIES = {"aioquic": _library(aioquic), "qh3": _library(qh3)}


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that stands there (RFC 9000 section 16), and where it ends; beyond the end if it is not all here."""
    octets = 1 << (data[at] >> 6) if at < len(data) else len(data) + 1
    return int.from_bytes(data[at : at + octets], "big") & (1 << 8 * octets - 2) - 1, at + octets


class H3Client:
    """One connection."""

    def __init__(self, library: str = "aioquic", *, trust: bytes | None = None, name: str = "localhost",
                 take: bool = True, webtransport: bool = False, idle: float = 60.0, **options: Any) -> None:
        """trust: the PEM of the authority to believe; None: anybody. take: whether windows are opened again for what
        came (without: aioquic only). options: of the library's QuicConfiguration."""
        self.lib = LIBRARIES[library]
        self.config = self.lib.configuration(
            is_client=True, alpn_protocols=["h3"], server_name=name, idle_timeout=idle,
            max_datagram_frame_size=65536, **options)
        if trust is None:
            self.config.verify_mode = ssl.CERT_NONE
        else:
            self.config.load_verify_locations(cadata=trust)
        if take:
            self.quic = self.lib.connection(configuration=self.config)
        else:
            assert library == "aioquic", "qh3 opens its windows by itself"
            self.quic = _Patient(configuration=self.config)
        self.h3 = self.lib.h3(self.quic, enable_webtransport=webtransport)
        self.goaways: list[int] = []
        self._control: dict[int, bytes] = {}
        self.answers: dict[int, Answer] = {}
        self.streams: dict[int, bytearray] = {}
        """WebTransport: what came on each stream; those in `ended` are complete."""
        self.ended: set[int] = set()
        self.datagrams: list[tuple[int, bytes]] = []
        """WebTransport: (session, message)."""
        self.shaken = False
        self.closed: tuple[int, str] | None = None
        """How the connection ended: code and reason."""
        self.pongs = 0
        self.received: list[int] = []
        """The sizes of all datagrams that came."""
        self.mangle: Callable[[bytes], list[bytes]] = lambda datagram: [datagram]
        """What becomes of a datagram on its way out."""
        self.deaf = False
        """Whether datagrams that come are lost."""
        self.server: Any = None
        self._pings = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._sock: socket.socket | None = None

    # The connection.

    @classmethod
    async def connect(cls, port: int, library: str = "aioquic", *, host: str = "127.0.0.1", source: str | None = None,
                      **how: Any) -> "H3Client":
        """With the handshake done. Raises ConnectionError if it fails. how: as of `H3Client`."""
        client = cls(library, **how)
        client.begin(port, host, source)
        await wait_until(lambda: client.shaken or client.closed, "the handshake")
        if not client.shaken:
            client.drop()
            raise ConnectionError(f"no handshake: {client.closed}")
        return client

    def begin(self, port: int, host: str = "127.0.0.1", source: str | None = None) -> None:
        """Send the first flight, and wait for nothing. source: the address to come from."""
        self.server = (host, port)
        self.rebind(source)
        self.quic.connect(self.server, now=self._loop.time())
        self.flush()

    def rebind(self, source: str | None = None, *, change: bool = False) -> int:
        """Come from another port, or address, from now on: the port. change: under another connection id, as a client
        does that knows of it (RFC 9000 section 9.5); else it is a NAT that did it."""
        family = socket.AF_INET6 if ":" in self.server[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((source or ("::1" if family == socket.AF_INET6 else "127.0.0.1"), 0))
        self._forget_socket()
        self._sock = sock
        self._loop.add_reader(sock, self._read)
        if change:
            self.quic.change_connection_id()
        return int(sock.getsockname()[1])

    @property
    def port(self) -> int:
        """The client's own."""
        assert self._sock is not None
        return int(self._sock.getsockname()[1])

    @property
    def closing(self) -> bool:
        """Whether the edge has closed, or the client: nothing can be ordered any more."""
        return self.closed is not None or self.quic._close_event is not None

    def _forget_socket(self) -> None:
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    def raw(self, datagram: bytes) -> None:
        """Send a datagram, whatever sense it makes."""
        if self._sock is not None:
            with suppress(OSError):
                self._sock.sendto(datagram, self.server)

    def flush(self) -> None:
        """Send what there is to be sent, and set the clock."""
        for datagram, _ in self.quic.datagrams_to_send(now=self._loop.time()):
            for mangled in self.mangle(datagram):
                self.raw(mangled)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.quic.get_timer()
        if due is not None and self.closed is None:
            self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.quic.handle_timer(now=self._loop.time())
        self._note_all()
        self.flush()

    def _read(self) -> None:
        assert self._sock is not None
        for _ in range(64):
            try:
                datagram = self._sock.recv(65536)
            except BlockingIOError:
                break
            except OSError:  # a port unreachable: the connection will notice
                continue
            self.received.append(len(datagram))
            if not self.deaf:
                self.quic.receive_datagram(datagram, self.server, now=self._loop.time())
        self._note_all()
        self.flush()

    def _note_all(self) -> None:
        while (event := self.quic.next_event()) is not None:
            self._note_quic(event)
            for happened in self.h3.handle_event(event):
                self._note(happened)

    def _note_quic(self, event: Any) -> None:
        quic = self.lib.quic
        if isinstance(event, quic.HandshakeCompleted):
            self.shaken = True
        elif isinstance(event, quic.ConnectionTerminated):
            self.closed = (int(event.error_code), event.reason_phrase)
        elif isinstance(event, quic.PingAcknowledged):
            self.pongs += 1
        elif isinstance(event, quic.StreamDataReceived) and event.stream_id % 4 == 3:
            self._hear_control(event.stream_id, event.data)
        elif isinstance(event, quic.StreamReset):
            self._answer(event.stream_id).reset = int(event.error_code)
        elif isinstance(event, quic.StopSendingReceived):
            self._answer(event.stream_id).stopped = int(event.error_code)

    def _hear_control(self, stream: int, data: bytes) -> None:
        """GOAWAY (RFC 9114 section 7.2.6), which aioquic passes over."""
        data = self._control.get(stream, b"") + data
        at = 1
        while data[0] == 0x00:  # the control stream
            kind, after = varint(data, at)
            octets, after = varint(data, after)
            if after + octets > len(data):
                break
            if kind == GOAWAY:
                self.goaways.append(varint(data, after)[0])
            at = after + octets
        self._control[stream] = data[:1] + data[at:]

    def _answer(self, stream: int) -> Answer:
        return self.answers.setdefault(stream, Answer())

    def _note(self, event: Any) -> None:
        match type(event).__name__:
            case "InformationalHeadersReceived":
                self._answer(event.stream_id).interims.append(list(event.headers))
            case "HeadersReceived":
                self._note_fields(self._answer(event.stream_id), event)
            case "DataReceived":
                answer = self._answer(event.stream_id)
                answer.body += event.data
                answer.complete = answer.complete or event.stream_ended
            case "DatagramReceived":
                number = event.flow_id if hasattr(event, "flow_id") else event.stream_id // 4
                self.datagrams.append((number * 4, event.data))
            case "WebTransportStreamDataReceived":
                self.streams.setdefault(event.stream_id, bytearray()).extend(event.data)
                if event.stream_ended:
                    self.ended.add(event.stream_id)

    def _note_fields(self, answer: Answer, event: Any) -> None:
        fields = list(event.headers)
        if answer.fields:
            answer.trailers = dict(fields)
        elif dict(fields).get(b":status", b"").startswith(b"1"):
            answer.interims.append(fields)
        else:
            answer.fields = dict(fields)
        answer.complete = answer.complete or event.stream_ended

    # Requests.

    def ask(self, path: bytes = b"/hello", *, method: bytes = b"GET", end: bool = True, fields: Fields | None = None,
            more: Fields | None = None) -> int:
        """Send a request's head: its stream."""
        stream = int(self.quic.get_next_available_stream_id())
        head = fields or [(b":method", method), (b":scheme", b"https"), (b":authority", b"edge.test"), (b":path", path)]
        self.answers[stream] = Answer()
        self.h3.send_headers(stream, [*head, *(more or [])], end_stream=end)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.h3.send_data(stream, data, end_stream=end)
        self.flush()

    def trailers(self, stream: int, fields: Fields) -> None:
        self.h3.send_headers(stream, fields, end_stream=True)
        self.flush()

    def reset(self, stream: int, code: int = REQUEST_CANCELLED) -> None:
        """Give a request up: both directions."""
        self.quic.reset_stream(stream, code)
        self.quic.stop_stream(stream, code)
        self.flush()

    def ping(self) -> None:
        """`pongs` counts the answers."""
        self.quic.send_ping(next(self._pings))
        self.flush()

    async def until(self, done: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
        """Wait until `done()`. Raises AssertionError if the connection ends before."""
        value = await wait_until(lambda: done() or self.closed, what, patience)
        assert done(), f"closed before {what}: {self.closed}"
        return value

    async def answer(self, stream: int, patience: float = PATIENCE) -> Answer:
        """The whole answer."""
        answer = self.answers[stream]
        await self.until(lambda: answer.over, f"the answer on stream {stream}", patience)
        return answer

    async def get(self, path: bytes = b"/hello", more: Fields | None = None) -> Answer:
        return await self.answer(self.ask(path, more=more))

    # Extended CONNECT (RFC 9220), and WebTransport on top of it.

    def tunnel(self, path: bytes = b"/", protocol: bytes = b"websocket", more: Fields | None = None) -> int:
        """Ask for one: its stream. For a WebSocket, frames go out by `send`, and come in the answer's body."""
        head = [(b":method", b"CONNECT"), (b":protocol", protocol), (b":scheme", b"https"),
                (b":authority", b"edge.test"), (b":path", path)]
        if protocol == b"websocket":
            head.append((b"sec-websocket-version", b"13"))
        return self.ask(fields=head, more=more, end=False)

    def open_stream(self, session: int, data: bytes, *, both_ways: bool = True, end: bool = True) -> int:
        """WebTransport: a stream of a session, with what it carries."""
        stream = int(self.h3.create_webtransport_stream(session, is_unidirectional=not both_ways))
        self.quic.send_stream_data(stream, data, end)
        self.flush()
        return stream

    def send_datagram(self, session: int, data: bytes) -> None:
        """WebTransport: an unreliable message."""
        self.h3.send_datagram(session // 4 if "qh3" in type(self.h3).__module__ else session, data)
        self.flush()

    # The end.

    async def end(self) -> tuple[int, str]:
        """Wait until the edge has closed: how."""
        await wait_until(lambda: self.closed, "the end of the connection")
        assert self.closed is not None
        return self.closed

    def close(self) -> None:
        """Close it properly, and leave."""
        if self.closed is None:
            self.quic.close(error_code=NO_ERROR)
            self.flush()
        self.drop()

    def drop(self) -> None:
        """Fall silent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._forget_socket()
        self.closed = self.closed or (0, "dropped")
