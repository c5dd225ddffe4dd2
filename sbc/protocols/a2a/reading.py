"""One A2A call: whose it is, what may be done when its node is lost, and how a stream of a task goes on."""

from collections.abc import Callable
from dataclasses import replace

from sbc.model.errors import Refusal
from sbc.model.http import Request, Response
from sbc.protocols.a2a.calls import Call, Verb, ident
from sbc.protocols.a2a.card import rewritten
from sbc.protocols.a2a.faults import refused, unknown
from sbc.protocols.a2a.items import Item, Json, Kind, event_of, read_item, read_task
from sbc.protocols.a2a.resume import Came, Resumption, plain
from sbc.protocols.a2a.seen import GAP, REPEAT, Seen
from sbc.protocols.bodies import is_event_stream
from sbc.protocols.events import event_data
from sbc.protocols.protocol import Conversation, Key, LastWords, Reading, Rest

SENDING = frozenset({Verb.SEND, Verb.STREAM})

SAFE = frozenset({Verb.GET, Verb.LIST, Verb.SUBSCRIBE, Verb.READ_CONFIG, Verb.DELETE_CONFIG, Verb.CARD})
"""Read, or idempotent by A2A 1.0 section 3.1.10. To cancel twice is an error, to create twice makes two."""

MAX_LEARNED = 8
"""Keys that one answer may bring: it is about one task."""

BREATH = 0.5
"""Seconds before a stream that its node ended too early is asked for again."""

_DIGESTS = frozenset({b"content-digest", b"repr-digest", b"digest", b"content-md5"})


class CallReading(Reading):
    """Any A2A call: whose it is, and in which form errors are answered."""

    __slots__ = ("call", "deduplicates", "keys", "streaming")

    def __init__(self, request: Request, body: bytes | None, call: Call, deduplicates: bool) -> None:
        super().__init__(request, body)
        self.call = call
        self.deduplicates = deduplicates
        self.streaming = False
        """Whether the client is answered by a stream of events."""
        keys = (("task", call.task), ("context", call.context))
        self.keys = tuple(Key(kind, value) for kind, value in keys if value)

    @property
    def safe(self) -> bool:
        if self.call.verb in SENDING:
            return self.deduplicates and self.call.message is not None
        return self.call.verb in SAFE

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        if is_event_stream(response):
            self.streaming = True
        return response

    def last_words(self, *, begun: bool) -> LastWords:
        if begun and not self.streaming:
            return LastWords(b"", False)
        return unknown(self.call, self.call.task, begun=begun)

    def refusal(self, refusal: Refusal) -> tuple[Response, bytes]:
        return refused(self.call, refusal)


class TaskReading(CallReading):
    """A call that is answered by a task: its ids are learned, and a stream of it goes on at another node."""

    __slots__ = ("_known", "_resumption", "_seen", "_settled", "_unsure", "begins", "retry")

    wants_answer = True
    rest = Rest.SAME
    """A task lives at its node, so that one is asked for it, however the stream ended."""

    def __init__(self, request: Request, body: bytes | None, call: Call, deduplicates: bool) -> None:
        super().__init__(request, body, call, deduplicates)
        self.begins = call.verb in SENDING
        self._seen = Seen(call.task, call.message)
        self._resumption = Resumption(call, request, body)
        self._unsure: set[str] = set()
        """Artifacts that may have gone on while nobody listened."""
        self._settled = True
        """Whether what comes is certainly later than the last whole task that was told."""
        self._known = set(self.keys)
        self.retry = BREATH

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        return replace(request, fields=plain(request.fields))

    def whole_answer(self, body: bytes) -> bytes:
        if item := read_item(self.call.form, body):
            self._learn(item)
        return body

    def event(self, event: bytes) -> bytes | None:
        data = event_data(event)
        item = read_item(self.call.form, data) if data else None
        if item is None:
            return event
        if not self._resumption.fresh or not self._seen.items:
            self._resumption.brought(Came.EVENTS)
            return self._passed(item, event) if self._settled else self._compared(item, event)
        match item.kind:
            case Kind.FAULT:
                self._resumption.brought(Came.REFUSED)
                self.retry = 0.0
                return None
            case Kind.TASK:
                self._resumption.brought(Came.EVENTS)
                self._settled = False
                return self._bring(item.body)
            case _:
                # What was said before this stream began is lost, unless the task was asked for; and even then what
                # was said meanwhile: to an artifact in the middle that is a gap.
                lost = not self._resumption.told and item.kind is not Kind.MESSAGE
                self._resumption.brought(Came.EVENTS)
                self._unsure = self._seen.open_artifacts()
                passed = self._passed(item, event)
                return self._marked(item, GAP) if lost else passed

    def complete(self) -> bool:
        return self._seen.closed

    def resume(self, last_id: bytes | None) -> tuple[Request, bytes] | None:
        return self._resumption.next(self._seen, safe=self.safe)

    def resume_answered(self, response: Response, body: bytes) -> bytes | None:
        self.retry = 0.0
        if response.status == 405:
            self._resumption.brought(Came.WRONG_METHOD)
            return b""
        if not self._seen.items:
            # The client has the head of a stream and nothing else: this is its answer, or none.
            item = read_item(self.call.form, body)
            return self._passed(item, event_of(self.call, item)) if item else None
        task = read_task(self.call.form, body)
        self._resumption.brought(Came.TASK if task else Came.REFUSED)
        return self._bring(task.body) or b"" if task else b""

    def last_words(self, *, begun: bool) -> LastWords:
        if begun and not self.streaming:
            return LastWords(b"", False)
        return unknown(self.call, self._seen.task, begun=begun)

    def _passed(self, item: Item, event: bytes) -> bytes:
        """An item goes to the client, as this event unless it has to be marked."""
        self.retry = BREATH
        self._resumption.helped()
        self._learn(item)
        self._seen.watch(item)
        return self._marked(item, GAP) if self._unsure and self._doubtful(item) else event

    def _compared(self, item: Item, event: bytes) -> bytes | None:
        """One of the first items after a whole task, which may hold it already."""
        news = self._seen.tells(item)
        if news is False:
            return None
        self._settled = news is True
        passed = self._passed(item, event)
        return passed if self._settled else self._marked(item, REPEAT)

    def _bring(self, task: Json) -> bytes | None:
        """What the client lacks of this state of the task, as events; None: nothing."""
        try:
            events = [event_of(self.call, item) for item in self._seen.difference(self.call, task)]
        except TypeError:  # nested more deeply than can be compared
            self._seen.full = True
            return None
        self._seen.watch(Item(Kind.TASK, task))
        if events:
            self._resumption.helped()
        return b"".join(events) or None

    def _doubtful(self, item: Item) -> bool:
        """Whether an update goes on from where the client may not be. Said once of each artifact."""
        artifact = item.body.get("artifact")
        if item.kind is not Kind.ARTIFACT or not isinstance(artifact, dict):
            return False
        name = ident(artifact, "artifactId") or ""
        doubtful = item.body.get("append") is True and name in self._unsure
        self._unsure.discard(name)
        return doubtful

    def _marked(self, item: Item, mark: str) -> bytes:
        metadata = item.body.get("metadata")
        marked: Json = {**(metadata if isinstance(metadata, dict) else {}), mark: True}
        return event_of(self.call, Item(item.kind, {**item.body, "metadata": marked}))

    def _learn(self, item: Item) -> None:
        for kind, value in (("task", item.task), ("context", item.context)):
            if value and (key := Key(kind, value)) not in self._known and len(self._known) < MAX_LEARNED:
                self._known.add(key)
                self.learned.append(key)


class CardReading(CallReading):
    """A request for the agent's card, the public one or the extended one."""

    __slots__ = ("_prefix",)

    wants_answer = True

    def __init__(self, request: Request, body: bytes | None, call: Call, prefix: str) -> None:
        super().__init__(request, body, call, False)
        self._prefix = prefix

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        whole = [field for field in request.fields if field[0] not in (b"range", b"if-range")]
        return replace(request, fields=plain(whole))

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        """RFC 9110 section 8.8.1: what is changed on its way keeps no strong validator, and no digest."""
        fields = [(name, b"W/" + value if name == b"etag" and not value.startswith(b"W/") else value)
                  for name, value in response.fields if name not in _DIGESTS]
        unsent = self.request.method == b"HEAD" or response.status == 304
        return replace(response, fields=fields, length=None if unsent else response.length)

    def whole_answer(self, body: bytes) -> bytes:
        return rewritten(body, self.request, self._prefix, rpc=self.call.form.rpc)
