"""A probe of a node that speaks HTTP/2 and nothing else: one request over the pool's connection to it."""

import asyncio

from sbc.model.http import Fields, Request, Response
from sbc.model.node import Node, Probe
from sbc.model.streams import Answerer, Reach
from sbc.nodes.address import address_of
from sbc.nodes.http2_stream import RESET


async def ask_over_http2(reach: Reach, node: Node, probe: Probe) -> str | None:
    """Why the node does not live; None if it does. The body is not read: the head is enough of an answer, and where
    any answer will do, so is a reset: it is all that a gRPC server says to what is no gRPC."""
    where = address_of(node.url)
    head = _Head()
    request = Request(
        b"GET", (probe.path or "/").encode(), f"{where.host}:{where.port}".encode(), [(b"user-agent", b"sbc-probe")]
    )
    stream = reach.probe(node, request, head)
    try:
        async with asyncio.timeout(probe.timeout):
            await head.known.wait()
    except TimeoutError:
        return f"no answer in {probe.timeout:g} s"
    finally:
        stream.abort()
    if probe.path is None and head.fault is not None and head.fault.startswith(RESET):
        return None
    if head.fault is None and probe.path is not None and not 200 <= head.status < 400:
        return f"HTTP {head.status}"
    return head.fault


class _Head(Answerer):
    """Waits for the head of an answer."""

    def __init__(self) -> None:
        self.known = asyncio.Event()
        self.status = 0
        self.fault: str | None = None

    def sent(self) -> None:
        """The answer alone counts."""

    def informed(self, status: int, fields: Fields) -> None:
        """The answer alone counts."""

    def answered(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        self.status = response.status
        self.known.set()

    def answer_body(self, data: bytes) -> None:
        """The head is enough."""

    def answer_ended(self, trailers: Fields) -> None:
        """The head is enough."""

    def node_failed(self, reason: str, *, sent: bool, reached: bool) -> None:
        self.fault = reason
        self.known.set()

    def node_slow(self) -> None:
        """There is no body."""

    def node_ready(self) -> None:
        """There is no body."""
