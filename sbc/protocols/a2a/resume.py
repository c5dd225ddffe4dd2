"""How a stream of a task goes on at another node: which question is asked next.

A2A has no cursor; a task outlives its streams, and who wants the rest subscribes to it again. What that brings depends
on the version, and on whether the task has ended meanwhile:

    1.0   SubscribeToTask: the whole task, then its updates; refused (-32004) if it has ended: GetTask then
    0.3   tasks/get: the whole task; then tasks/resubscribe, which does not begin with it, if it has not ended; if it
          ends just then, that is refused, and tasks/get tells the end

Before the client has seen anything of a task nobody knows whether there is one: then only the request itself can be
sent again, if it is safe.
"""

from dataclasses import replace
from enum import Enum
from urllib.parse import quote

import orjson

from sbc.model.http import Fields, Request
from sbc.protocols.a2a.calls import Call, Form, Verb
from sbc.protocols.a2a.seen import Seen

MAX_TRIES = 8
"""Questions in a row that brought the client nothing."""


class Step(Enum):
    """What was asked last."""

    NOTHING = "nothing"
    AGAIN = "the request itself"
    SUBSCRIBE = "for the stream of the task"
    GET = "for the task"


class Came(Enum):
    """What came of it."""

    NOTHING = "nothing"
    REFUSED = "an error"
    WRONG_METHOD = "405"
    TASK = "the task"
    EVENTS = "events"


class Resumption:
    """Asks for the rest of one stream."""

    __slots__ = ("_body", "_call", "_method", "_request", "_tries", "came", "step", "told")

    def __init__(self, call: Call, request: Request, body: bytes | None) -> None:
        self.step = Step.NOTHING
        self.came = Came.NOTHING
        self.told = False
        """Whether the whole task was told since the stream broke."""
        self._call = call
        self._request = request
        self._body = body or b""
        self._method = b"POST"
        """Of a REST subscription: the specification has it both ways, its text POST, its protobuf GET."""
        self._tries = 0

    @property
    def fresh(self) -> bool:
        """Whether the next event is the first one of a stream that was asked for here."""
        return self.step is Step.SUBSCRIBE and self.came is Came.NOTHING

    def brought(self, came: Came) -> None:
        """Something came of what was asked."""
        self.came = came
        self.told = self.told or came is Came.TASK

    def helped(self) -> None:
        """The client was given something that it did not have."""
        self._tries = 0

    def next(self, seen: Seen, *, safe: bool) -> tuple[Request, bytes] | None:
        """What to ask now, head and body; None: there is no way. safe: the request itself may be sent again."""
        self._tries += 1
        step = self._choose(seen, safe)
        if seen.full or self._tries > MAX_TRIES or step is Step.NOTHING:
            return None
        self.step, self.came = step, Came.NOTHING
        match step:
            case Step.AGAIN:
                return replace(self._request, fields=plain(self._request.fields)), self._body
            case Step.SUBSCRIBE:
                return self._ask(Verb.SUBSCRIBE, seen.task or "")
            case _:
                return self._ask(Verb.GET, seen.task or "")

    def _choose(self, seen: Seen, safe: bool) -> Step:
        if seen.items == 0 and self._call.verb is not Verb.SUBSCRIBE:
            return Step.AGAIN if safe else Step.NOTHING
        if seen.task is None:
            return Step.NOTHING
        old = self._call.form.old and seen.items > 0
        match self.step, self.came:
            case Step.SUBSCRIBE, Came.WRONG_METHOD if self._method == b"POST":
                self._method = b"GET"
                return Step.SUBSCRIBE
            case Step.SUBSCRIBE, Came.REFUSED | Came.WRONG_METHOD:
                return Step.GET
            case Step.GET, Came.REFUSED:
                return Step.NOTHING
            case Step.GET, Came.TASK:
                return Step.SUBSCRIBE if old else Step.NOTHING
            case _:
                self.told = False
                return Step.GET if old else Step.SUBSCRIBE

    def _ask(self, verb: Verb, task: str) -> tuple[Request, bytes]:
        call, request = self._call, self._request
        fields = plain(request.fields)
        if call.form.rpc:
            names = ("SubscribeToTask", "GetTask") if call.form is Form.RPC_1 else ("tasks/resubscribe", "tasks/get")
            params = {"id": task} | ({"tenant": call.tenant} if call.tenant else {})
            body = orjson.dumps({"jsonrpc": "2.0", "id": call.rpc_id,
                                 "method": names[verb is Verb.GET], "params": params})
            return replace(request, fields=fields, bodied=True, length=len(body)), body
        _, mark, query = request.target.partition(b"?")
        action = b":subscribe" if verb is Verb.SUBSCRIBE else b""
        path = call.base + b"/tasks/" + quote(task, safe="").encode() + action
        method = self._method if verb is Verb.SUBSCRIBE else b"GET"
        bodied = method == b"POST"
        if not bodied:
            fields = [field for field in fields if field[0] != b"content-type"]
        body = b"{}" if bodied else b""
        return replace(request, method=method, target=path + mark + query, fields=fields, bodied=bodied,
                       length=len(body) if bodied else None), body


def plain(fields: Fields) -> Fields:
    """The fields of a request whose answer is going to be read: it must not be compressed (RFC 9110 12.5.3)."""
    return [*(field for field in fields if field[0] != b"accept-encoding"), (b"accept-encoding", b"identity")]
