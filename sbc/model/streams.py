"""The seams of an exchange: one stream on the client's side, one on the node's, and what each of them is told.

    client connection ── ClientStream <──orders── Exchange ──orders──> NodeStream ── node connection
                              └────────facts──> (Asker)   (Answerer) <──facts──┘

Every order is a plain call that does not wait and raises nothing: one that comes too late, on a stream that has ended,
does nothing. Facts come from the event loop only, never from within an order. HTTP/1.1, HTTP/2 and QUIC look the same
from here. Pressure: a side that is told `pause` gives no more body until `resume`; `slow` and `ready` say that what is
written to a stream is not taken at the moment, and that it is again.

ClientStream and Answerer are classes to be derived from: every event of every answer goes from a node's line to an
exchange and on to a client's stream, and the compiled twin (streams.pxd) makes plain calls of that.
"""

from typing import Protocol

from sbc.model.http import Fields, Request, Response
from sbc.model.marking import Mark
from sbc.model.node import Node


class ClientStream:
    """The client's side of an exchange: what an exchange may order of it."""

    __slots__ = ("congested",)

    congested: bool
    """Whether the client does not take what it is sent at the moment."""

    def mark(self, mark: Mark) -> None:
        """Have the connection's packets bear a mark, unless they bear one that ranks above."""

    def inform(self, status: int, fields: Fields) -> None:
        """Send an interim answer (1xx other than 101)."""

    def respond(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        """Send the head of the answer, and `body` behind it; end: that is all of it, and there are no trailers."""

    def send(self, data: bytes) -> None:
        """Send a piece of the body. Interim pieces may be written together; nothing is delayed for long."""

    def finish(self, trailers: Fields) -> None:
        """The answer is complete."""

    def abort(self) -> None:
        """End the answer so that it can never be taken for complete: HTTP/1.1 closes the connection in the middle of
        the body (a reset if the body has no length and no chunks), HTTP/2 and HTTP/3 reset the stream."""

    def pause(self) -> None:
        """Take no more of the request's body from the client."""

    def resume(self) -> None:
        """Go on reading the request's body; the first time: the client may send it (100-continue)."""


class Asker(Protocol):
    """What an exchange is told of its client."""

    def body(self, data: bytes) -> None:
        """A piece of the request's body."""

    def body_ended(self, trailers: Fields) -> None:
        """The request is complete. Told only if `Request.bodied`."""

    def client_gone(self) -> None:
        """The client gave the request up, or its connection broke. Nothing more comes from it."""

    def client_slow(self) -> None:
        """What is sent to the client piles up."""

    def client_ready(self) -> None:
        """It does no longer."""


class NodeStream(Protocol):
    """The node's side of an exchange: what an exchange may order of it."""

    congested: bool
    """Whether the node does not take what it is sent at the moment."""

    def send(self, data: bytes) -> None:
        """Send a piece of the request's body."""

    def finish(self, trailers: Fields) -> None:
        """The request is complete. Only for a request that is `bodied`."""

    def abort(self) -> None:
        """Nobody waits for the answer any more. Nothing is told of this stream from here on."""

    def pause(self) -> None:
        """Take no more of the answer's body from the node."""

    def resume(self) -> None:
        """Go on."""


class Answerer:
    """What an exchange is told of its node."""

    __slots__ = ()

    def sent(self) -> None:
        """The head goes out on a connection now: from here on the node may act on the request."""

    def informed(self, status: int, fields: Fields) -> None:
        """An interim answer (1xx other than 100 and 101)."""

    def answered(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        """The head of the answer, and what came of its body along with it; end: that is all, without trailers."""

    def answer_body(self, data: bytes) -> None:
        """A piece of the answer's body."""

    def answer_ended(self, trailers: Fields) -> None:
        """The answer is complete, as far as its framing says."""

    def node_failed(self, reason: str, *, sent: bool, reached: bool) -> None:
        """There will be no (more) answer. sent: whether the node may have acted on the request (a stream above a
        GOAWAY's id, or a refused one, certainly was not); reached: whether there was a connection at all."""

    def node_slow(self) -> None:
        """What is sent to the node piles up."""

    def node_ready(self) -> None:
        """It does no longer."""


class Reach(Protocol):
    """How exchanges come to nodes (nodes/pool.py)."""

    def open(self, node: Node, request: Request, answerer: Answerer) -> NodeStream:
        """Send a request to a node, over a connection that is there or a new one. `sent` may be told at once."""

    def probe(self, node: Node, request: Request, answerer: Answerer) -> NodeStream:
        """Send a request to a node whose URL is sound, for the target as it stands: not below the path of the URL."""

    def ready(self, node: Node, done: "Readiness") -> None:
        """Have a connection to a node: `done("")` once there is one, else `done(why not)`."""

    def forget(self, node: Node) -> None:
        """A node is gone or was drained: close the connections that nothing is under way on."""


class Readiness(Protocol):
    def __call__(self, fault: str, /) -> None: ...
