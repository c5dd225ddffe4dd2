"""The HTTP/2 side of bench/web.py: the same answers and the same streams, over ngh2."""

import asyncio
from typing import Any

from ngh2 import Connection, ConnectionClosed, DataReceived, RequestReceived, Role, Setting, StreamClosed

from bench.webnode import BODY, EVENTS_FIELDS, FIELDS, Node, Stream

STREAMS = 10_000
"""Open at a time on one connection."""
ANSWER_HEAD = [(b":status", b"200"), *FIELDS, (b"content-length", b"%d" % len(BODY))]
EVENTS_HEAD = [(b":status", b"200"), *EVENTS_FIELDS]


class Http2(asyncio.Protocol):
    """A connection."""

    def __init__(self, node: Node, transport: Any) -> None:
        self.node = node
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.streams: dict[int, Stream] = {}
        self.asked: set[int] = set()
        """Requests whose body is not here yet."""
        self.dirty = False
        self.connection = Connection(Role.SERVER)
        self.connection.initiate_connection({Setting.MAX_CONCURRENT_STREAMS: STREAMS})

    def connection_lost(self, exc: Exception | None) -> None:
        for stream in self.streams.values():
            self.node.leave(stream)

    def data_received(self, data: bytes) -> None:
        self.connection.receive_data(data)
        for fact in self.connection.events():
            match fact:
                case RequestReceived():
                    self.request(fact.stream_id, dict(fact.headers), fact.end_stream)
                case DataReceived() if fact.end_stream and fact.stream_id in self.asked:
                    self.asked.discard(fact.stream_id)
                    self.answer(fact.stream_id)
                case StreamClosed():
                    self.asked.discard(fact.stream_id)
                    if stream := self.streams.pop(fact.stream_id, None):
                        self.node.leave(stream)
                case ConnectionClosed():
                    self.transport.close()
        self.flush()

    def request(self, number: int, fields: dict[bytes, bytes], end: bool) -> None:
        """The head of one request."""
        path = fields[b":path"]
        if not path.startswith(b"/events"):
            if end:
                self.answer(number)
            else:
                self.asked.add(number)
            return
        self.connection.send_response(number, EVENTS_HEAD)
        stream = self.streams[number] = Stream(self, number, path, int(fields.get(b"last-event-id", b"0")))
        self.node.join(stream)

    def answer(self, number: int) -> None:
        """A whole answer."""
        self.node.requests += 1
        self.connection.send_response(number, ANSWER_HEAD)
        self.connection.send_data(number, BODY, end_stream=True)
        self.soon()

    def event(self, stream: Stream, event: bytes) -> None:
        self.connection.send_data(stream.number, event)
        self.soon()

    def soon(self) -> None:
        """All that is said in one turn of the loop goes out together."""
        if not self.dirty:
            self.dirty = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        self.dirty = False
        out = self.connection.data_to_send()
        if out and not self.transport.is_closing():
            self.transport.write(out)
