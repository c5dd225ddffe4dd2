"""A client of HTTP/3 for the bench: one connection over qh3, with streams of events or requests as fast as they come.

Its datagrams go and come through a socket of its own, one at a time, as those of as many clients would.
"""

import asyncio
import contextlib
import ssl
from collections import Counter
from typing import Any

from qh3.h3.connection import H3Connection
from qh3.h3.events import DataReceived, H3Event, HeadersReceived
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection
from qh3.quic.events import ConnectionTerminated, HandshakeCompleted, StreamReset
from qh3.tls import CipherSuite

from bench.common.web import fields
from bench.readers import Stream

WINDOW = 2**30
"""The bench is not about flow control."""
IDLE = 3600.0
ALIVE = 10.0
"""Seconds between two pings: Traefik ends a connection that is silent for 30 s, whatever it carries."""
Head = list[tuple[bytes, bytes]]


def configuration(ca: str) -> QuicConfiguration:
    """TLS with the one cipher of all benches, trusting its authority alone."""
    return QuicConfiguration(
        is_client=True, alpn_protocols=["h3"], server_name="localhost", cafile=ca, verify_mode=ssl.CERT_REQUIRED,
        max_data=WINDOW, max_stream_data=WINDOW, idle_timeout=IDLE, cipher_suites=[CipherSuite.AES_256_GCM_SHA384])


class Client(asyncio.DatagramProtocol):
    """One connection."""

    transport: Any

    def __init__(self, ca: str, port: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.port = port
        self.quic = QuicConnection(configuration=configuration(ca))
        self.h3: Any = None
        self.streams: dict[int, Stream] = {}
        self.events = self.answered = 0
        self.faults: Counter[str] = Counter()
        self.head: Head = []
        """Of the request that follows each answer; of none if there is none."""
        self.body = b""
        self.shaken = self.loop.create_future()
        self.closed = self.loop.create_future()
        self.leaving = False
        self._timer: asyncio.TimerHandle | None = None
        self._dirty = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.quic.connect(("127.0.0.1", self.port), now=self.loop.time())
        self.flush()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.quic.receive_datagram(data, addr, now=self.loop.time())
        self.take()
        # What comes in one turn of the loop is answered together.
        if not self._dirty:
            self._dirty = True
            self.loop.call_soon(self.flush)

    def error_received(self, exc: Exception) -> None:
        """A port that nobody listens on, yet: the handshake is tried again by QUIC itself."""

    def take(self) -> None:
        """What QUIC says."""
        while (event := self.quic.next_event()) is not None:
            match event:
                case HandshakeCompleted():
                    self.h3 = H3Connection(self.quic)
                    self.shaken.set_result(None)
                case ConnectionTerminated():
                    self.gone(f"connection ended: {event.error_code} {event.reason_phrase}")
                case StreamReset() if not self.leaving:
                    self.faults["stream reset"] += 1
            if self.h3 is not None:
                for fact in self.h3.handle_event(event):
                    self.hear(fact)

    def gone(self, why: str) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        if not self.shaken.done():
            self.shaken.set_exception(ConnectionError(why))
        elif not self.leaving:
            self.faults[why] += 1

    def hear(self, fact: H3Event) -> None:
        """What HTTP/3 says."""
        if not isinstance(fact, HeadersReceived | DataReceived):
            return
        stream = self.streams.get(fact.stream_id)
        match fact:
            case HeadersReceived():
                status = int(dict(fact.headers)[b":status"])
                if stream is not None:
                    stream.status = status
                elif status != 200:
                    self.faults[f"status {status}"] += 1
            case DataReceived() if stream is not None:
                stream.take(fact.data)
        if fact.stream_ended:
            self.ended(stream)

    def ended(self, stream: Stream | None) -> None:
        """An answer is complete."""
        if stream is not None:
            stream.ended = True
            return
        self.answered += 1
        if self.head:
            self.request()

    def listen(self, port: int, path: str, session: str) -> Stream:
        """Begin a stream of events."""
        number = self.quic.get_next_available_stream_id()
        self.h3.send_headers(number, head(port, "GET", path, session, accept="text/event-stream"), end_stream=True)
        stream = self.streams[number] = Stream(self)
        self.flush()
        return stream

    def request(self) -> None:
        """Ask once more; `flush` sends it."""
        number = self.quic.get_next_available_stream_id()
        self.h3.send_headers(number, self.head, end_stream=not self.body)
        if self.body:
            self.h3.send_data(number, self.body, end_stream=True)

    def flood(self, requests: Head, body: bytes, in_flight: int) -> None:
        """Keep so many requests under way."""
        self.head, self.body = requests, body
        for _ in range(in_flight):
            self.request()
        self.flush()

    def stay(self) -> None:
        """Show signs of life from now on."""
        if not self.closed.done():
            self.quic.send_ping(0)
            self.flush()
            self.loop.call_later(ALIVE, self.stay)

    def ring(self) -> None:
        self._timer = None
        self.quic.handle_timer(now=self.loop.time())
        self.take()
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent, and have the timer at the right time."""
        self._dirty = False
        if self.transport.is_closing():
            return
        for data, _ in self.quic.datagrams_to_send(now=self.loop.time()):
            self.transport.sendto(data)
        due = self.quic.get_timer()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self.loop.call_at(due, self.ring)

    def leave(self) -> None:
        """Close the connection; who is told of it does not wait for an answer."""
        self.leaving = True
        with contextlib.suppress(Exception):
            self.flush()  # the last of the handshake, maybe: behind a close it would not be said
            self.quic.close()
            self.flush()
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)
        self.transport.close()


async def connect(port: int, ca: str) -> Client:
    """A connection that is open. Raises ConnectionError, TimeoutError."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_datagram_endpoint(lambda: Client(ca, port), remote_addr=("127.0.0.1", port))
    try:
        async with asyncio.timeout(10):
            await client.shaken
    except BaseException:
        client.leave()
        raise
    return client


def head(port: int, method: str, path: str, session: str, **more: Any) -> Head:
    """The head of a request."""
    pseudo = [(":method", method), (":scheme", "https"), (":authority", f"localhost:{port}"), (":path", path)]
    return [(name.encode(), value.encode()) for name, value in pseudo + fields(session, **more)]
