"""The floor of the HTTP/1.1 bench: the least that a proxy can do in Python, `python -m bench.bare FILE`.

httptools reads heads on both sides only to find the key, and where messages end; the bytes go through as they came, on
kept connections to the node that the key's hash says. No rules, no limits, no sessions, no retries.
"""

import asyncio
import contextlib
import json
import ssl
import sys
import zlib
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import httptools
import uvloop

Lines = defaultdict[int, deque["NodeSide"]]


class ClientSide(asyncio.Protocol):
    """A client's connection; one request at a time."""

    def __init__(self, nodes: list[int], idle: Lines) -> None:
        self.nodes, self.idle = nodes, idle
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.octets = b""
        self.key = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.octets += data
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 9 and name.lower() == b"x-session":
            self.key = value

    def on_message_complete(self) -> None:
        port = self.nodes[zlib.crc32(self.key) % len(self.nodes)]
        if self.idle[port]:
            self.idle[port].pop().ask(self)
        else:
            self.opening = self.loop.create_task(self.open(port))

    async def open(self, port: int) -> None:
        """A new connection to a node."""
        _, line = await self.loop.create_connection(lambda: NodeSide(port, self.idle), "127.0.0.1", port)
        line.ask(self)


class NodeSide(asyncio.Protocol):
    """A connection to a node."""

    def __init__(self, port: int, idle: Lines) -> None:
        self.port, self.idle = port, idle
        self.client: ClientSide | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, client: ClientSide) -> None:
        """Carry one exchange."""
        self.client = client
        self.parser = httptools.HttpResponseParser(self)
        octets, client.octets = client.octets, b""
        self.transport.write(octets)

    def data_received(self, data: bytes) -> None:
        if self.client is not None and not self.client.transport.is_closing():
            self.client.transport.write(data)
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.client = None
        self.idle[self.port].append(self)


async def main(plan: dict[str, Any]) -> None:
    loop, idle = asyncio.get_running_loop(), Lines(deque)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(plan["cert"], plan["key"])
    for port, tls in ((plan["plain"], None), (plan["secure"], context)):
        await loop.create_server(lambda: ClientSide(plan["nodes"], idle), "127.0.0.1", port, ssl=tls, backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(json.loads(Path(sys.argv[1]).read_text())))
