"""One HTTP exchange: what a client asks and a node answers, across the loss of that node.

It is told facts by the streams on its two sides (model/streams.py) and orders them in turn. What is owed to whom when
a node is lost is decided in core/exchange.py; where the request goes next, by its home.
"""

from collections.abc import Callable

from sbc.core.exchange import Fate, Stage, fate
from sbc.core.forwarding import client_fields
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, Response
from sbc.model.node import Node
from sbc.model.policy import Policy
from sbc.model.streams import ClientStream, NodeStream, Reach
from sbc.protocols.events import has_data
from sbc.protocols.protocol import Reading, Rest
from sbc.runtime.http.answer import Answer, Form
from sbc.runtime.http.answers import refused, unknown
from sbc.runtime.http.home import Home, Loss
from sbc.runtime.http.upload import Upload


class Exchange:
    """Implements Asker and Answerer."""

    __slots__ = (
        "_longest", "_then", "answer", "attempts", "begun", "client", "home", "keep", "key", "node", "number",
        "onward", "policy", "preface", "quiet", "reading", "request", "seat", "stage", "upload", "waiting",
        "wants_answer",
    )  # fmt: skip

    def __init__(self, client: ClientStream, request: Request) -> None:
        self.client: ClientStream | None = client
        """None: the client has left, and the node's answer goes on."""
        self.request = request
        self.upload = Upload(bodied=request.bodied)
        self.answer = Answer()
        self.reading: Reading
        self.policy: Policy
        self.home: Home | None = None
        self.node: NodeStream | None = None
        self.seat = 0
        """The number of the seat that it was sent to last."""
        self.stage = Stage.WAITING
        self.waiting = False
        """Whether the home is to send it (again) once there is an owner."""
        self.number = 0
        """Which message to the node it is, from 1; 0: it was never sent."""
        self.attempts = 0
        self.begun = False
        """Whether the client has been given the head of an answer."""
        self.keep = True
        """Whether the request is kept until its answer is there, as far as the bound goes."""
        self.key: tuple[str, str] | None = None
        """The route's session key: as the client sent it, and as its node knows it."""
        self.wants_answer = False
        """Whether the session's key may stand in the answer's body."""
        self.preface = b""
        """What the client is given before the first event of the answer."""
        self.quiet = 0.0
        """For how many seconds nothing came from the node; kept by the home."""
        self.onward: Exchange | None = None
        """The exchange whose answer this one's client is given the rest of."""
        self._then: Callable[[], None] | None = None
        self._longest = 0

    # The request (Asker).

    def collect(self, longest: int, then: Callable[[], None]) -> None:
        """Have the whole body first, then call `then`. longest: bytes; a longer body is refused with 413."""
        self._then, self._longest = then, longest
        if self.client is not None:
            self.client.resume()

    def body(self, data: bytes) -> None:
        if self.stage is Stage.ANSWERED:
            return
        upload, bound = self.upload, self.policy.limits.journal
        if self.node is not None and not (self.keep and upload.octets + len(data) <= bound):
            upload.count(data)
        else:
            upload.add(data)
        if self.node is not None:
            self.node.send(data)
        elif self._then is not None and upload.octets > self._longest:
            self.refuse(Refusal(413, "body_too_large", f"at most {self._longest} bytes of body are taken here"))
        elif self._then is None and self.client is not None and upload.octets > bound:
            self.client.pause()

    def body_ended(self, trailers: Fields) -> None:
        self.upload.end(trailers)
        then, self._then = self._then, None
        if self.stage is Stage.ANSWERED:
            return
        if then is not None:
            then()
        elif self.node is not None:
            self.node.finish(trailers)

    def client_gone(self) -> None:
        if self.onward is not None:
            self.onward.client_gone()
        elif self.stage is not Stage.ANSWERED:
            self.client, self._then = None, None
            if self.home is None or not self.home.client_left(self):
                self.over()

    def client_slow(self) -> None:
        node = (self.onward or self).node
        if node is not None:
            node.pause()

    def client_ready(self) -> None:
        node = (self.onward or self).node
        if node is not None:
            node.resume()

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
        for piece in upload.pieces:
            stream.send(piece)
        if request.bodied and upload.ended:
            stream.finish(upload.trailers)
        elif not upload.ended and self.client is not None:
            self.client.resume()
        if not self.keep:
            upload.drop()

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
        self._leave_node()
        self.waiting, self.attempts = False, self.attempts + 1
        self.node = stream = reach.open(node, request, self)
        if self.client is not None and self.client.congested:
            stream.pause()
        return stream

    def _leave_node(self) -> None:
        node, self.node = self.node, None
        if node is not None:
            node.abort()

    def wait(self) -> None:
        """The node is lost: be sent again, or asked the rest for, when there is an owner."""
        self._leave_node()
        self.waiting = True

    # The answer (Answerer).

    def sent(self) -> None:
        if self.stage is Stage.WAITING:
            self.stage = Stage.SENT

    def informed(self, status: int, fields: Fields) -> None:
        if self.client is not None and not self.begun:
            self.client.inform(status, client_fields(fields, self.policy.hidden))

    def answered(self, response: Response, *, end: bool) -> None:
        home, reading = self.home, self.reading
        assert home is not None
        self.quiet = 0.0
        if reading.forgotten(response):
            self._leave_node()
            self.stage = Stage.WAITING
            home.broken(self, Loss.MEMORY)
            return
        if self.begun:
            self.answer.begin_again(response)
            if end:
                self.answer_ended([])
            return
        home.greet(self, response)
        response = reading.answered(response, home.token, home.conversation)
        self.learn()
        self.stage = Stage.ANSWERING
        response.fields = client_fields(response.fields, self.policy.hidden) + home.greeting()
        self.answer.begin(response, end=end, wanted_whole=reading.wants_answer or self.wants_answer)
        if self.answer.form is not Form.WHOLE:
            self._respond(response, end=end)
            if end:
                self._end([])

    def _respond(self, response: Response, *, end: bool) -> None:
        self.begun = True
        if self.client is not None:
            self.client.respond(response, end=end)
            if self.preface and self.answer.streams:
                self.client.send(self.preface)

    def answer_body(self, data: bytes) -> None:
        self.quiet = 0.0
        answer = self.answer
        if answer.form is Form.EVENTS:
            data = self._events(data)
        elif answer.body is not None:
            answer.body += data
            if len(answer.body) <= self.policy.limits.message:
                return
            data = self._too_long()
        if data and self.client is not None:
            self.client.send(data)
            if self.client.congested and self.node is not None:
                self.node.pause()

    def _events(self, data: bytes) -> bytes:
        answer, reading, home = self.answer, self.reading, self.home
        assert answer.scanner is not None and home is not None
        events = answer.scanner.feed(data)
        out = []
        for event in events:
            seen = reading.event(event)
            if reading.learned:
                self.learn()
            if seen is None:
                continue
            if not has_data(seen):
                out.append(seen)  # a comment, or news for whoever reads the stream: no message
                continue
            if answer.skip:
                answer.skip -= 1
                continue
            answer.delivered += 1
            out.append(home.deliver(self, seen))
        if answer.scanner.fault:
            self.tell()
            return b""
        return out[0] if len(out) == 1 else b"".join(out)

    def _too_long(self) -> bytes:
        """The answer is longer than may be kept: its protocol goes without it."""
        answer = self.answer
        body, answer.body = answer.body, None
        if answer.form is Form.REST or answer.head is None or body is None:
            self.tell()
            return b""
        answer.form = Form.PLAIN
        self._respond(answer.head, end=False)
        return bytes(body)

    def answer_ended(self, trailers: Fields) -> None:
        answer = self.answer
        if answer.form is Form.WHOLE and answer.body is not None:
            self._respond_whole(bytes(answer.body))
        elif answer.form is Form.REST:
            more = self.reading.resume_answered(answer.head or Response(502), bytes(answer.body or b""))
            if more is None:
                self.tell()
                return
            if self.client is not None and more:
                self.client.send(more)
        if answer.streams and not self.reading.complete():
            self._unfinished()
        else:
            self._end(trailers)

    def _respond_whole(self, body: bytes) -> None:
        assert self.answer.head is not None and self.home is not None
        self.home.read_answer(self, body)
        body = self.reading.whole_answer(body)
        self.learn()
        self.answer.head.length = len(body)
        self._respond(self.answer.head, end=not body)
        if body and self.client is not None:
            self.client.send(body)

    def _unfinished(self) -> None:
        """The node has ended its stream, but not what it had to say."""
        self._leave_node()
        assert self.home is not None
        match self.reading.rest:
            case Rest.LOST:
                self.home.broken(self, Loss.STREAM)
            case Rest.OTHER:
                self.home.broken(self, Loss.LEAVING)
            case Rest.SAME:
                self.home.again(self, self.reading.retry)

    def learn(self) -> None:
        """Tell the home what the answer brought."""
        if self.reading.learned and self.home is not None:
            learned, self.reading.learned = self.reading.learned, []
            self.home.learned(learned)

    def node_failed(self, reason: str, *, sent: bool, reached: bool) -> None:
        self._leave_node()
        if self.stage in (Stage.WAITING, Stage.SENT):
            self.stage = Stage.SENT if sent else Stage.WAITING
        if self.stage is Stage.ANSWERED or self.home is None:
            return
        if self.answer.streams and self.reading.complete() and type(self.reading).complete is not Reading.complete:
            self._end([])  # all was said that there was to say
        else:
            self.home.broken(self, Loss.STREAM if reached else Loss.NODE)

    def node_slow(self) -> None:
        if self.client is not None and not self.upload.ended:
            self.client.pause()

    def node_ready(self) -> None:
        if self.client is not None and not self.upload.ended:
            self.client.resume()

    def prospect(self, *, replayed: bool) -> Fate:
        """What becomes of it if its node is lost now."""
        stage = Stage.SENT if self.stage is Stage.ANSWERING and not self.begun else self.stage
        streams = self.answer.streams
        return fate(
            stage, whole=self.upload.whole, safe=self.reading.safe, replayed=replayed and (streams or not self.begun),
            resumable=streams and type(self.reading).resume is not Reading.resume,
        )  # fmt: skip

    # Ends.

    def _end(self, trailers: Fields) -> None:
        client = self.client
        if client is not None and self.stage is not Stage.ANSWERED:
            client.finish(trailers)
        self.over()

    def tell(self) -> None:
        """Nobody can know the outcome, or there is no rest of the answer: say so, and end."""
        words, client = self.reading.last_words(begun=self.begun), self.client
        if client is not None and self.stage is not Stage.ANSWERED:
            if not self.begun:
                client.respond(unknown(words), end=not words.body)
            if words.body and (not self.begun or self.answer.streams):
                client.send(words.body)
            if words.clean:
                client.finish([])
            else:
                client.abort()
        self.over()

    def refuse(self, refusal: Refusal) -> None:
        """Nothing was sent to a node: say why not."""
        client = self.client
        if client is not None and self.stage is not Stage.ANSWERED:
            response, body = refused(refusal, getattr(self, "reading", None))
            client.respond(response, end=not body)
            if body:
                client.send(body)
                client.finish([])
        self.over()

    def say_farewell(self) -> None:
        """End a standing stream in good order."""
        farewell = self.reading.farewell()
        if farewell and self.client is not None and self.begun:
            self.client.send(farewell)
        self._end([])

    def over(self) -> None:
        """Nobody waits for it any more."""
        self._leave_node()
        before, self.stage, self.client, self.waiting = self.stage, Stage.ANSWERED, None, False
        if before is not Stage.ANSWERED:
            self.upload.drop()
            if self.home is not None:
                self.home.over(self)
