"""The asking half of an exchange: what its client says, kept and passed on, and sent to one node after another."""

from collections.abc import Callable

from sbc.core.exchange import ANSWERED, SENT, WAITING
from sbc.core.forwarding import node_trailers
from sbc.model.errors import Outcome, Refusal
from sbc.model.http import Fields, Request
from sbc.model.identity import Identity
from sbc.model.node import Node
from sbc.model.policy import Policy
from sbc.model.streams import Answerer, ClientStream, NodeStream, Reach
from sbc.protocols.protocol import Reading
from sbc.runtime.http.home import Home
from sbc.runtime.http.upload import Upload

UNREAD = Reading(Request(b"", b"", b"", []), None)
"""What is known of a request before its protocol has seen it."""


class Asking(Answerer):
    """Implements Asker; the answering half is in exchange.py, and says what is left open here."""

    __slots__ = (
        "_longest", "_then", "attempts", "client", "heedless", "home", "identity", "in_turn", "keep", "key", "node",
        "number", "policy", "reading", "request", "seat", "stage", "upload", "waiting",
    )  # fmt: skip

    def _ask_for(self, client: ClientStream | None, request: Request) -> None:
        """The whole of its initialiser: one call less than that of a base."""
        self.client = client
        """None: the client has left, and the node's answer goes on."""
        self.request = request
        self.upload = Upload(request.bodied)
        self.reading = UNREAD
        """What its protocol read in it; until then, that it is nothing special."""
        self.heedless = False
        """Whether its protocol needs to be asked nothing."""
        self.policy: Policy
        self.identity: Identity | None = None
        """Who asks, as far as that is proven."""
        self.home: Home | None = None
        self.node: NodeStream | None = None
        self.seat = 0
        """The number of the seat that it was sent to last."""
        self.stage = WAITING
        self.waiting = False
        """Whether the home is to send it (again) once there is an owner."""
        self.number = 0
        """Which message to the node it is, from 1; 0: it was never sent."""
        self.in_turn = False
        """Whether it is counted as a part of the session's present turn."""
        self.attempts = 0
        self.keep = True
        """Whether the request is kept until its answer is complete, and not only until it begins; as far as the
        bound goes."""
        self.key: tuple[str, str] | None = None
        """The route's session key: as the client sent it, and as its node knows it."""
        self._then: Callable[[], None] | None = None
        self._longest = 0

    # The request (Asker).

    def collect(self, longest: int, then: Callable[[], None]) -> None:
        """Have the whole body first, then call `then`. longest: bytes; a longer body is refused with 413."""
        self._then, self._longest = then, longest
        if self.client is not None:
            self.client.resume()

    def body(self, data: bytes) -> None:
        if self.stage is ANSWERED:
            return
        upload, bound = self.upload, self.policy.limits.journal
        if upload.octets + len(data) > self.policy.limits.body and not self.reading.endless:
            self.refuse(self.too_long())
            return
        # Until there is an answer a node may still say that it has done nothing (GOAWAY, REFUSED_STREAM).
        kept = self.keep or self.stage is WAITING or self.stage is SENT
        if self.node is not None and not (kept and upload.octets + len(data) <= bound):
            upload.count(data)
        else:
            upload.add(data)
        if self.node is not None:
            self.node.send(data)
        elif self._then is not None and upload.octets > self._longest:
            self.refuse(Refusal(413, "body_too_large", f"at most {self._longest} bytes of body are taken here"))
        elif self._then is None and self.client is not None and upload.octets > bound:
            self.client.pause()

    def too_long(self) -> Refusal:
        """Why a body is not taken any further."""
        outcome = Outcome.NOT_SENT if self.stage is WAITING else Outcome.UNKNOWN
        most = self.policy.limits.body
        return Refusal(413, "body_too_large", f"at most {most} bytes of body are taken here", outcome=outcome)

    def body_ended(self, trailers: Fields) -> None:
        trailers = node_trailers(trailers)
        self.upload.end(trailers)
        then, self._then = self._then, None
        if self.stage is ANSWERED:
            return
        if then is not None:
            then()
        elif self.node is not None:
            self.node.finish(trailers)

    def client_gone(self) -> None:
        """The client gave the request up."""
        raise NotImplementedError

    def refuse(self, refusal: Refusal) -> None:
        """Say why the request is not served; an answer that has begun is broken off."""
        raise NotImplementedError

    def client_slow(self) -> None:
        if self.client is not None:
            self.client.congested = True  # of a stream that withholds what it is given, nobody else would know
        if self.node is not None:
            self.node.pause()

    def client_ready(self) -> None:
        if self.client is not None:
            self.client.congested = False
        if self.node is not None:
            self.node.resume()

    # To a node.

    def send(self, reach: Reach, node: Node, request: Request) -> None:
        """Send all of the request that is here to a node; `request` is its head as that node is to see it."""
        upload = self.upload
        if self.reading.body is not None:
            self._ask(reach, node, request, self.reading.body)
            return
        if request.bodied and upload.ended:
            request.length = upload.length
        stream = self._open(reach, node, request)
        for piece in upload.pieces or ():
            stream.send(piece)
        if request.bodied and upload.ended:
            stream.finish(upload.trailers or [])
        elif not upload.ended and self.client is not None:
            self.client.resume()

    def ask_for_rest(self, reach: Reach, node: Node, request: Request, body: bytes) -> None:
        """Ask a node for the rest of an answer that has begun."""
        self._ask(reach, node, request, body)

    def _ask(self, reach: Reach, node: Node, request: Request, body: bytes) -> None:
        request.bodied, request.length = bool(body), len(body) if body else None
        stream = self._open(reach, node, request)
        if body:
            stream.send(body)
            stream.finish([])

    def _open(self, reach: Reach, node: Node, request: Request) -> NodeStream:
        self.leave_node()
        self.waiting, self.attempts = False, self.attempts + 1
        self.node = stream = reach.open(node, request, self)
        if self.client is not None and self.client.congested:
            stream.pause()
        return stream

    def sent(self) -> None:
        if self.stage is WAITING:
            self.stage = SENT

    def node_slow(self) -> None:
        if self.client is not None and not self.upload.ended:
            self.client.pause()

    def node_ready(self) -> None:
        if self.client is not None and not self.upload.ended:
            self.client.resume()

    def leave_node(self) -> None:
        node, self.node = self.node, None
        if node is not None:
            node.abort()

    def wait(self) -> None:
        """The node is lost: be sent again, or asked the rest for, when there is an owner."""
        self.leave_node()
        self.waiting = True
