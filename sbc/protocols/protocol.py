"""What the exchanges of a session mean: the seam between the session protocols and the runtime that carries them.

    Protocol       one a route: knows how a request is read
    Conversation   one a session: what has to be known across its exchanges, and done first on a new owner
    Reading        one an exchange: which session it belongs to, what may be done when its node is lost, what is
                   changed on its way
    Turns          one a WebSocket session: what its messages say of turns

The defaults are those of a protocol that knows nothing: a request belongs to no session, is not safe but for its
method, and its answer goes through as it is. All of it is pure: no I/O, no clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from sbc.model.errors import Refusal
from sbc.model.http import Request, Response

SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
"""RFC 9110 section 9.2.1."""

IDEMPOTENT_METHODS = SAFE_METHODS | {b"PUT", b"DELETE"}
"""RFC 9110 section 9.2.2: what a proxy may send again by itself."""


class Key(NamedTuple):
    """What pins a request to a session: a value found in it. kind: whose it is (`task`, `context`, `response` ...), so
    that equal values of different kinds do not meet. The kind `token` is a session token of the edge's own."""

    kind: str
    value: str


class Ids(Enum):
    """What becomes of the `id` of server-sent events."""

    ADD = "add"
    """A node's own id stays; an event without one gets the edge's."""
    OWN = "own"
    """The client sees the edge's ids alone; the node's are kept for asking the node again."""
    KEEP = "keep"
    """Events go through as they are."""


class Rest(Enum):
    """Whom to ask for the rest of a stream that its node ended before it was complete."""

    LOST = "lost"
    """The end is a fault like any other: whoever has the session then."""
    OTHER = "other"
    """The node goes, and said so: another one, if there is any; else `farewell` is for the client."""
    SAME = "same"
    """The node wants to be asked again: the same one, after `retry` seconds."""


@dataclass(frozen=True, slots=True)
class LastWords:
    """What a client is told when the outcome of its request cannot be known, or its answer cannot go on.

    body: the rest of the answer (before any answer: the whole of it). clean: whether the answer is then ended as a
    complete one, which only a protocol can say whose last words cannot be taken for success.
    """

    body: bytes
    clean: bool
    content_type: bytes = b"application/json"
    status: int = 502
    fields: tuple[tuple[bytes, bytes], ...] = ()
    """Further fields of the head, before any answer."""
    trailers: tuple[tuple[bytes, bytes], ...] = ()
    """What ends an answer that has begun."""


class Reading:
    """One exchange, as its protocol reads it. Made by `Protocol.read`; told what passes; asked what it means."""

    __slots__ = ("body", "learned", "request")

    heedless = False
    """Whether nothing of the exchange means anything: all that is asked of a reading below is and stays as it is said
    here, but for `alters` and `events`, which are False. Then none of it needs to be asked."""
    keys: Sequence[Key] = ()
    """Which session is meant, the most specific key first: the first that a session is known by decides."""
    begins = False
    """Whether a request whose keys nobody knows begins a session (known by those keys, and by what is learned);
    if not, it is an exchange of its own: a dialog that ends with its answer. So does one that began without keys, has
    learned none, and whose answer was given no token: nobody could ever come back to it."""
    may_begin = False
    """Whether the answer to such a request begins a session if it brings keys, for what comes after it; the exchange
    itself stays one of its own. Cheaper than `begins` where that is rare."""
    dispensable = False
    """Whether the session that it begins may be dropped when its client has too many; looked at again whenever the
    answer brings keys. So may one that is there for speed alone, or that its client need not come back to."""
    needs_session = False
    """Whether a request whose keys nobody knows has to be refused (`Refusal(404, "session_gone", ...)`)."""
    ends = False
    """Whether the session ends once this exchange is answered with success."""
    in_prelude = False
    """Whether a new owner that was told the session's prelude was told all of this request."""
    standing = False
    """Whether the answer is a stream that stays open between turns: no turn waits for its end."""
    findable = False
    """Whether a client that has no key of the session is to find it by the ids of the answer's events."""
    outlives = False
    """Whether the node's answer goes on while the client is away: it is kept for a client that returns."""
    alters = True
    """Whether `joins`, `outgoing`, `forgotten` and `answered` do anything; if not, they need not be called."""
    events = True
    """Whether an answer that is a stream of events is read event by event; if not it passes byte by byte."""
    attentive = True
    """Whether `event` is to be called; if not (any more), events pass as they are."""
    endless = False
    """Whether the request's body is a stream that no limit on its length is meant for."""
    ids = Ids.KEEP
    wants_answer = False
    """Whether an answer that is no event stream has to be whole before it is passed on (`whole_answer`)."""
    after: str | None = None
    """Last-Event-ID of a client that asks for the rest of a stream which the edge may have in its journal."""
    rest = Rest.LOST
    """After `complete` has said no: whom to ask. Looked at then, before `resume`."""
    retry = 0.0
    """With Rest.SAME: after how many seconds."""

    def __init__(self, request: Request, body: bytes | None) -> None:
        self.request = request
        self.body = body
        """The whole body, if the protocol wanted it. `outgoing` may put another in its place: that one is sent."""
        self.learned: list[Key] = []
        """Keys that the answer brought: from here on the session is known by them too. The runtime empties it."""

    @property
    def safe(self) -> bool:
        """Whether the request may be sent to another node although one was sent it already."""
        return self.request.method in IDEMPOTENT_METHODS

    def joins(self, conversation: "Conversation") -> None:
        """The exchange belongs to this session. Told once, before a node is asked for anything."""

    def outgoing(self, request: Request, conversation: "Conversation") -> Request:
        """The request as a node is to see it. request: without what is hop by hop, with the edge's own fields."""
        return request

    def answered(self, response: Response, token: Callable[[], bytes], conversation: "Conversation") -> Response:
        """The head of the node's answer: what the client is to see of it. token: makes the session's sealed token."""
        return response

    def forgotten(self, response: Response) -> bool:
        """Whether this answer says that the node knows nothing of the session (any more), and did nothing: it is then
        as if the node were lost before the request was sent. Asked of the head of an answer before `answered`."""
        return False

    def whole_answer(self, body: bytes) -> bytes:
        """A whole answer (only if `wants_answer`): what the client is to see of it."""
        return body

    def event(self, event: bytes) -> bytes | None:
        """One server-sent event with the blank line that ends it: as the client is to see it; None: not at all."""
        return event

    def complete(self) -> bool:
        """Whether a stream of events that its node ended is truly at its end."""
        return True

    def resume(self, last_id: bytes | None) -> tuple[Request, bytes] | None:
        """The answer has begun and its node is lost: what to ask the next one (a head, and its body) for the rest of
        it. None: there is no way. last_id: the last event id that the node gave, if any. From here on `event` sees
        the new answer. A protocol that does not override this cannot resume."""
        return None

    def resumable(self, last_id: bytes | None, *, elsewhere: bool) -> bool:
        """Whether `resume` would know a way; asked before it, and without it. elsewhere: at another node than the one
        that is lost: a planned move waits for what nobody else can go on with."""
        return type(self).resume is not Reading.resume

    def resume_answered(self, response: Response, body: bytes) -> bytes | None:
        """What `resume` asked for was answered, but not by a stream of events: what to add to those that the client
        has; then `complete` decides as ever. None: nothing came of it. body: the whole answer."""
        return None

    def last_words(self, *, begun: bool) -> LastWords:
        """The outcome is unknown. begun: the client has the head of the answer and a part of its events."""
        return LastWords(b"", False) if begun else LastWords(_UNKNOWN, True)

    def farewell(self) -> bytes:
        """What ends a standing stream in good order when the edge itself has to end it; empty: nothing is said."""
        return b""

    def refusal(self, refused: Refusal) -> tuple[Response, bytes] | None:
        """A refusal in the protocol's own form; None: the edge's plain one will do."""
        return None


class Conversation:
    """What a protocol has to remember of one session."""

    __slots__ = ("changed",)

    def __init__(self) -> None:
        self.changed = False
        """Whether `dump` would write something else than before. The runtime takes it back once a store was told."""

    def prelude(self) -> Sequence[Request]:
        """What a new owner is asked, in this order, before anything else, by the edge itself. Their bodies: `body_of`.
        Nothing for the first owner: there the client does it. A request may change until the ones before it are
        answered (`prelude_answered`). Their fields are a client's: the edge puts its own to them as to any request."""
        return ()

    def body_of(self, request: Request) -> bytes:
        """The body of a request of the prelude."""
        return b""

    def prelude_answered(self, request: Request, response: Response, body: bytes) -> bool:
        """Whether the new owner answered a request of the prelude as it should."""
        return 200 <= response.status < 300

    def taken(self) -> None:
        """The node that answered the prelude is the owner now: `outgoing` and `resume` are for it from here on. Until
        this is told they are for the one before, which keeps the session if the handover comes to nothing."""

    def moved(self) -> Sequence[bytes]:
        """Events that every standing stream of the session is sent after a handover, to make up for what may have
        been missed."""
        return ()

    def dump(self) -> str:
        """All of it as text, for a store."""
        return ""

    def load(self, text: str) -> None:
        """Be again what `dump` wrote. Raises ValueError."""


class Turns:
    """What the messages of a WebSocket session say of its turns. Made by `Protocol.listener`, one a session."""

    __slots__ = ()

    @property
    def under_way(self) -> bool:
        """Whether somebody waits for something at the moment: no moment to move the session."""
        return False

    @property
    def cap(self) -> float | None:
        """When the node will end the session, as it said so; seconds since 1970."""
        return None

    def said(self, from_client: bool, payload: bytes, now: float) -> None:
        """A whole message, text or binary, has passed. now: seconds since 1970."""

    def moved(self) -> None:
        """Another node has the session now: what was under way, and when it was to end, went with the old one."""


class Protocol:
    """How the requests of a route are read. Has no state of its own beyond its settings."""

    turns = True
    """Whether the end of a turn is known; if not, a session is at rest when nothing has passed for a while."""

    def wants_body(self, request: Request) -> bool:
        """Whether the whole body is needed to read this request; a body over the policy's bound is 413 then."""
        return False

    def read(self, request: Request, body: bytes | None) -> Reading:
        """Read a request. Raises Refusal, or Rejection to answer in the protocol's own form."""
        return Reading(request, body)

    def converse(self) -> Conversation:
        """A new session's memory."""
        return Conversation()

    def listener(self) -> Turns | None:
        """What listens to the messages of a new WebSocket session; None: they say nothing of turns."""
        return None


class Rejection(Refusal):
    """A refusal whose answer is written out already, in the protocol's own form."""

    def __init__(self, code: str, detail: str, response: Response, body: bytes) -> None:
        super().__init__(response.status, code, detail)
        self.response = replace(response, length=len(body))
        self.body = body


_UNKNOWN = b'{"error": {"code": "outcome_unknown", "message": "the agent was lost; it may have acted on this"}}\n'
