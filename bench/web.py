"""The node of the HTTP benches, as lean as it can be: `python -m bench.web NAME` serves on a free port and prints it.

    GET /events?set=NAME[&ids=1]   a stream of server-sent events, which come while the set talks. With ids it can be
                                   resumed: Last-Event-ID is answered by the events after that one, the next at once
    anything else                  100 bytes of JSON

HTTP/1.1 (keep-alive, bodies with Content-Length), or HTTP/2 when the proxy begins with its preface. The n-th event of a
stream says `n` and the node's name. A stream whose reader is slow is left out until it has read.
"""

import argparse
import asyncio
import contextlib
import re
from typing import Any

import uvloop

from bench.common.asked import answer_questions, say
from bench.common.processes import raise_file_limit
from bench.web2 import Http2
from bench.webnode import BODY, EVENTS_FIELDS, FIELDS, Node, Stream

ANSWER = (b"HTTP/1.1 200 OK\r\n" + b"".join(b"%s: %s\r\n" % field for field in FIELDS)
          + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
EVENTS_HEAD = (b"HTTP/1.1 200 OK\r\n" + b"".join(b"%s: %s\r\n" % field for field in EVENTS_FIELDS)
               + b"transfer-encoding: chunked\r\n\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_ID = re.compile(rb"\r\nlast-event-id: *(\d+)", re.IGNORECASE)


class Http1(asyncio.Protocol):
    """A connection; becomes one of HTTP/2 if that is what comes."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.rest = b""
        self.stream: Stream | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.stream is not None:
            self.node.leave(self.stream)

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        if data.startswith(b"PRI * HTTP/2.0"):
            second = Http2(self.node, self.transport)
            self.transport.set_protocol(second)
            second.data_received(data)
            return
        while (end := data.find(b"\r\n\r\n") + 4) > 3:
            length = _LENGTH.search(data, 0, end) if not data.startswith(b"GET") else None
            end += int(length[1]) if length else 0
            if len(data) < end:
                break
            self.request(data[:end])
            data = data[end:]
        self.rest = data

    def request(self, head: bytes) -> None:
        """One request with its body."""
        if not head.startswith(b"GET /events"):
            self.node.requests += 1
            self.transport.write(ANSWER)
            return
        last = _LAST_ID.search(head)
        self.stream = Stream(self, 0, head.partition(b"\r\n")[0], int(last[1]) if last else 0)
        self.transport.write(EVENTS_HEAD)
        self.node.join(self.stream)

    def event(self, stream: Stream, event: bytes) -> None:
        self.transport.write(b"%x\r\n%s\r\n" % (len(event), event))

    def pause_writing(self) -> None:
        if self.stream is not None:
            self.stream.slow = True

    def resume_writing(self) -> None:
        if self.stream is not None:
            self.stream.slow = False


async def main(name: str) -> None:
    loop = asyncio.get_running_loop()
    node = Node(name)
    server = await loop.create_server(lambda: Http1(node), "127.0.0.1", 0, backlog=4096)
    node.tick()
    say({"port": server.sockets[0].getsockname()[1]})
    await answer_questions(node.do)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(parser.parse_args().name))
