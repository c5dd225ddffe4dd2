"""One HTTP exchange: what a client asks and a node answers, across the loss of that node.

It is told facts by the streams on its two sides (model/streams.py) and orders them in turn. What is owed to whom when
a node is lost is decided in core/exchange.py; where the request goes next, by its home.
"""

from sbc.core.exchange import ANSWERED, ANSWERING, SENT, WAITING, Fate, fate
from sbc.core.forwarding import client_fields, client_trailers
from sbc.model.errors import Outcome, Refusal
from sbc.model.http import Fields, Request, Response, first
from sbc.model.streams import ClientStream
from sbc.protocols.cors import exposed
from sbc.protocols.events import Scanner
from sbc.protocols.protocol import Reading, Rest
from sbc.runtime.http.answer import EVENTS, PLAIN, REST, WHOLE, Answer
from sbc.runtime.http.answers import refused, unknown
from sbc.runtime.http.asking import Asking
from sbc.runtime.http.flow import at_end, read_events
from sbc.runtime.http.home import MOST_TRIES, Loss

NOT_SENT = Outcome.NOT_SENT.value.encode()


class Exchange(Asking):
    """The whole of it; implements Answerer."""

    __slots__ = ("answer", "begun", "held", "left_at", "onward", "preface", "quiet", "wants_answer", "whole")

    def __init__(self, client: ClientStream | None, request: Request) -> None:
        self._ask_for(client, request)
        self.answer = Answer()
        self.begun = False
        """Whether the client has been given the head of an answer."""
        self.preface = b""
        """What the client is given before the first event of the answer."""
        self.quiet = 0.0
        """For how many seconds nothing came from the node, or since its client left; kept by the home."""
        self.held = 0.0
        """For how many seconds it has waited for an owner; kept by the home."""
        self.left_at = 0
        """How many messages of the node's the session had when the client left it."""
        self.onward: Exchange | None = None
        """The exchange whose answer this one's client is given the rest of."""
        self.whole = False
        """Whether the answer came to its end."""
        self.wants_answer = False
        """Whether the session's key may stand in the answer's body."""

    # The client.

    def client_gone(self) -> None:
        if self.onward is not None:
            self.onward.client_gone()
        elif self.stage is not ANSWERED:
            self.client, self._then = None, None
            if self.home is None or not self.home.client_left(self):
                self.over()

    def client_slow(self) -> None:
        if self.onward is not None:
            self.onward.client_slow()
        else:
            super().client_slow()

    def client_ready(self) -> None:
        if self.onward is not None:
            self.onward.client_ready()
        else:
            super().client_ready()

    # The answer (Answerer).

    def informed(self, status: int, fields: Fields) -> None:
        if self.client is not None and not self.begun:
            self.client.inform(status, client_fields(fields, self.policy.hidden))

    def answered(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        home, reading, alters = self.home, self.reading, not self.heedless and self.reading.alters
        assert home is not None
        if self.client is not None:
            self.quiet = 0.0
        elif not reading.outlives:
            self.over()  # its client left when it was on its way to the node
            return
        if _refused(response) or (self.attempts < MOST_TRIES and alters and reading.forgotten(response)):
            self.leave_node()
            self.stage = WAITING
            home.broken(self, Loss.MEMORY)
            return
        if self.begun:
            self.answer.outbound = home.outbound
            self.answer.begin_again(response)
            self._came_along(body, end=end)
            return
        home.greet(self, response)
        if alters:
            response = reading.answered(response, home.token, home.conversation)
            self.learn()
        self.stage = ANSWERING
        if not self.keep:
            self.upload.drop()
        fields, greeting = client_fields(response.fields, self.policy.hidden), home.greeting(self)
        if self.policy.added:
            fields += self.policy.added
        response.fields = exposed(fields, greeting) if greeting else fields
        events = wanted = False
        if body or not end:
            events = not self.heedless and reading.events
            wanted = self.wants_answer or (not self.heedless and reading.wants_answer)
        self.answer.begin(response, events, wanted)
        if self.answer.form is EVENTS:
            self.answer.outbound = home.outbound
        if end and self.answer.form is PLAIN:
            self._respond(response, body, end=True)
            self.whole = True
            self.over()
            return
        if self.answer.form is not WHOLE:
            self._respond(response, b"", end=False)
        self._came_along(body, end=end)

    def _came_along(self, body: bytes, *, end: bool) -> None:
        """What came with the head of an answer. end: that is all of it."""
        if body:
            self.answer_body(body)
        if end and self.stage is not ANSWERED:
            self.answer_ended([])

    def _respond(self, response: Response, body: bytes, *, end: bool) -> None:
        self.begun = True
        if self.client is not None:
            self.client.respond(response, end=end, body=body)
            if self.preface and self.answer.streams:
                self.client.send(self.preface)

    def answer_body(self, data: bytes) -> None:
        if self.client is not None:
            self.quiet = 0.0
        answer = self.answer
        if answer.form is EVENTS:
            data = read_events(self, answer, data)
            if answer.scanner is not None and answer.scanner.fault:
                self.tell()
                return
        elif answer.body is not None:
            answer.body += data
            if len(answer.body) <= self.policy.limits.message:
                return
            data = self._too_long()
        client = self.client
        if data and client is not None:
            client.send(data)
            if client.congested and self.node is not None:
                self.node.pause()

    def _add(self, events: bytes) -> None:
        """Events of the protocol's own making, numbered and kept as the node's are."""
        home = self.home
        if not events or home is None:
            return
        out = b"".join([home.deliver(self, event) for event in Scanner(len(events)).feed(events)])
        if self.client is not None:
            self.client.send(out)

    def _too_long(self) -> bytes:
        """The answer is longer than may be kept: its protocol goes without it."""
        answer = self.answer
        body, answer.body = answer.body, None
        if answer.form is REST or answer.head is None or body is None:
            self.tell()
            return b""
        answer.form = PLAIN
        self._respond(answer.head, b"", end=False)
        return bytes(body)

    def answer_ended(self, trailers: Fields) -> None:
        answer, trailers = self.answer, client_trailers(trailers, self.policy.hidden)
        if answer.form is WHOLE and answer.body is not None:
            self._respond_whole(bytes(answer.body))
        elif answer.form is REST:
            more = self.reading.resume_answered(answer.head or Response(502), bytes(answer.body or b""))
            if more is None:
                self.tell()
                return
            self._add(more)
        if answer.streams and not at_end(self, answer):
            self._unfinished()
        else:
            self._end(trailers)

    def _respond_whole(self, body: bytes) -> None:
        assert self.answer.head is not None and self.home is not None
        self.home.read_answer(self, body)
        body = self.reading.whole_answer(body)
        self.learn()
        self.answer.head.length = len(body)
        self._respond(self.answer.head, body, end=not body)

    def _unfinished(self) -> None:
        """The node has ended its stream, but not what it had to say."""
        self.leave_node()
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
            self.home.learned(learned, dispensable=self.reading.dispensable)

    def node_failed(self, reason: str, *, sent: bool, reached: bool) -> None:
        self.leave_node()
        if self.stage in (WAITING, SENT):
            self.stage = SENT if sent else WAITING
        if self.stage is ANSWERED or self.home is None:
            return
        if self.answer.streams and self.reading.complete() and type(self.reading).complete is not Reading.complete:
            self._end([])  # all was said that there was to say
        else:
            self.home.broken(self, Loss.STREAM if reached else Loss.NODE)

    def prospect(self, *, replayed: bool, elsewhere: bool = False) -> Fate:
        """What becomes of it if its node is lost now, or left for another one (elsewhere)."""
        stage = SENT if self.stage is ANSWERING and not self.begun else self.stage
        streams = self.answer.streams
        return fate(
            stage, whole=self.upload.whole, safe=self.reading.safe, replayed=replayed and (streams or not self.begun),
            resumable=streams and self.reading.resumable(self.answer.last_id, elsewhere=elsewhere),
        )  # fmt: skip

    # Ends.

    def _end(self, trailers: Fields) -> None:
        client, self.whole = self.client, True
        if client is not None and self.stage is not ANSWERED:
            client.finish(trailers)
        self.over()

    def tell(self) -> None:
        """Nobody can know the outcome, or there is no rest of the answer: say so, and end."""
        if self.stage is WAITING:
            self.refuse(Refusal(503, "no_node", "no node could be sent the request", retry_after=1))
            return
        if self.home is not None and self.stage is not ANSWERED and not (self.begun and self.reading.safe):
            self.home.unknown(self)
        words, client = self.reading.last_words(begun=self.begun), self.client
        self.whole = words.clean
        if client is not None and self.stage is not ANSWERED:
            if not self.begun:
                client.respond(unknown(words), end=not words.body)
            if words.body and not self.begun:
                client.send(words.body)
            elif self.answer.streams:
                self._add(words.body)
            if words.clean:
                client.finish([*words.trailers])
            else:
                client.abort()
        self.over()

    def refuse(self, refusal: Refusal) -> None:
        """Say why the request is not served; an answer that has begun is broken off."""
        client = self.client
        if client is not None and self.begun:
            client.abort()
        elif client is not None and self.stage is not ANSWERED:
            response, body = refused(refusal, self.reading, self.request, getattr(self, "policy", None))
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
        self.leave_node()
        before, self.stage, self.client, self.waiting = self.stage, ANSWERED, None, False
        if before is not ANSWERED:
            self.upload.drop()
            if self.home is not None:
                self.home.over(self)


def _refused(response: Response) -> bool:
    """Whether the node says that it did nothing, because it knows nothing of the session (docs/DESIGN.md 5.3)."""
    return first(response.fields, b"session-outcome") == NOT_SENT
