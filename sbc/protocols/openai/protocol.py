"""Inference servers that speak the OpenAI API: chat completions, completions, Responses, conversations.

Facts (API reference; the official Python client, read in its source):
  Streams of chat completions and completions end with `data: [DONE]`; those of Responses with one of the events
  `response.completed`, `.failed`, `.incomplete`, or `error`. A stream that ends otherwise was cut off: the client
  sees no difference by itself, so the edge says that it was, by an error event, and cuts the connection.
  Clients raise an error for an event whose data has a field `error`. They repeat a request by themselves after 408,
  409, 429 and 5xx, unless the answer says `x-should-retry: false`.
  Events have no ids and get none: a client that remembers an id takes a later comment for an empty event.
  The events of Responses have a `sequence_number`. Those of a response with `background` are kept by the server:
  `GET /responses/ID?stream=true&starting_after=N` gives the rest, from any node that shares the store; a node that
  does not answers 404, and the client is told that its stream is cut off.
  `store` is true if not given (Responses). Ids of `chat.completion` objects lead nowhere and are no keys.

What may be sent twice: what changes nothing. A GET; a cancel; a legacy completion; and a chat completion or response
whose client says `store: false` and lets the server run no tools, which costs tokens twice at most. Any other POST may
have been stored, or have acted through tools: only the manifest (`replay: all`) can say that it may be repeated.
"""

from dataclasses import replace
from typing import Any

import orjson

from sbc.model.errors import Outcome, Refusal
from sbc.model.http import Fields, Request, Response
from sbc.protocols.bodies import JSON_TYPE, json_object, unencoded
from sbc.protocols.events import event_data, has_data, make_event
from sbc.protocols.openai.calls import BODIED, Call, Kind, call_of, keys_of, leaves_nothing, stored_key
from sbc.protocols.protocol import Conversation, LastWords, Protocol, Reading

_DONE = b"[DONE]"
_TERMINAL = ("response.completed", "response.failed", "response.incomplete", "error")
_PLACE = (b"", b"stream", b"starting_after")
"""The query parameters by which a stream is asked for from some event on."""
_COMMENT = b":"
_NO_RETRY = (b"x-should-retry", b"false")
_LOST = "the inference server was lost; it may have acted on this request"
_CUT = "the inference server was lost; the answer is incomplete"


class OpenAiReading(Reading):
    __slots__ = ("_call", "_last", "_response", "_stored", "begins", "dispensable", "keys", "wants_answer")

    def __init__(self, request: Request, body: bytes | None, call: Call) -> None:
        super().__init__(request, body)
        asked = json_object(body)
        self._call = call
        self._stored = call.kind is Kind.RESPONSE and asked.get("store") is not False
        self._response = call.identity if call.kind is Kind.STORED else ""
        """Which response is streamed, once that is known."""
        self._last: bytes | None = None
        """The last event that the client was given."""
        self.keys = keys_of(request, call, asked)
        creates = call.kind is Kind.CONVERSATION and request.method == b"POST"
        self.wants_answer = self._stored or creates
        inference = call.kind in (Kind.CHAT, Kind.COMPLETION, Kind.RESPONSE)
        self.dispensable = not self._stored and call.kind is not Kind.CONVERSATION
        self.begins = self.wants_answer or (inference and bool(self.keys))

    @property
    def safe(self) -> bool:
        if self.request.method != b"POST":
            return super().safe
        return leaves_nothing(self._call, json_object(self.body))

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        return unencoded(request)

    def whole_answer(self, body: bytes) -> bytes:
        key = stored_key(json_object(body))
        if key is not None:
            self.learned.append(key)
            self.dispensable = False
        return body

    def event(self, event: bytes) -> bytes:
        if event.startswith(_COMMENT) and not has_data(event):
            return event
        self._last = event
        if not self._response and self._call.kind is Kind.RESPONSE:
            self._learn(event)
        return event

    def _learn(self, event: bytes) -> None:
        """The first event that speaks of the response names it: `response.created`."""
        response = json_object(event_data(event)).get("response")
        if isinstance(response, dict) and isinstance(response.get("id"), str):
            self._response = response["id"]
            key = stored_key({**response, "object": "response"})
            if self._stored and key is not None:
                self.learned.append(key)
                self.dispensable = False

    def complete(self) -> bool:
        data = event_data(self._last) if self._last is not None else None
        if data is None:
            return False
        if data.startswith(_DONE):
            return True
        told = json_object(data)
        if self._call.kind in (Kind.CHAT, Kind.COMPLETION):
            return bool(told.get("error"))
        return told.get("type") in _TERMINAL or bool(told.get("error"))

    def resumable(self, last_id: bytes | None, *, elsewhere: bool) -> bool:
        return self.resume(last_id) is not None

    def resume(self, last_id: bytes | None) -> tuple[Request, bytes] | None:
        number = self._number()
        if number is None or not self._kept():
            return None
        path, _, query = self.request.target.partition(b"?")
        if self._call.kind is Kind.RESPONSE:
            path = path.rstrip(b"/") + b"/" + self._response.encode()
        others = [pair for pair in query.split(b"&") if pair.partition(b"=")[0] not in _PLACE]
        query = b"&".join([*others, b"stream=true", b"starting_after=%d" % number])
        fields = [field for field in self.request.fields if not field[0].startswith(b"content-")]
        return replace(self.request, method=b"GET", target=path + b"?" + query, fields=fields, bodied=False,
                       length=None), b""  # fmt: skip

    def _kept(self) -> bool:
        """Whether the server keeps the events of this stream."""
        if self._call.kind is Kind.STORED:
            return self.request.method == b"GET"
        # The id goes into a path.
        named = self._response.replace("_", "").replace("-", "").isalnum() and self._response.isascii()
        return self._stored and named and json_object(self.body).get("background") is True

    def _number(self) -> int | None:
        """The sequence number of the last event."""
        if self._last is None:
            return None
        number = json_object(event_data(self._last)).get("sequence_number")
        return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None

    def last_words(self, *, begun: bool) -> LastWords:
        if not begun:
            return LastWords(_body(_LOST, "server_error", "outcome_unknown"), True, fields=(_NO_RETRY,))
        error = _error(_CUT, "server_error", "outcome_unknown")
        if self._call.kind in (Kind.CHAT, Kind.COMPLETION):
            return LastWords(make_event(orjson.dumps({"error": error})), False)
        # As an event of Responses, and with the field that clients raise an error for.
        told = {"type": "error", "code": "outcome_unknown", "message": _CUT, "param": None,
                "sequence_number": (self._number() or 0) + 1, "error": error}  # fmt: skip
        return LastWords(make_event(orjson.dumps(told), b"error"), False)

    def refusal(self, refused: Refusal) -> tuple[Response, bytes]:
        kind = "server_error" if refused.status >= 500 else "invalid_request_error"
        body = _body(refused.detail, "rate_limit_error" if refused.status == 429 else kind, refused.code)
        fields: Fields = [JSON_TYPE]
        if refused.outcome is Outcome.UNKNOWN:
            fields.append(_NO_RETRY)
        return Response(refused.status, fields, len(body)), body


def _error(message: str, kind: str, code: str) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": None, "code": code}


def _body(message: str, kind: str, code: str) -> bytes:
    return orjson.dumps({"error": _error(message, kind, code)})


class OpenAi(Protocol):
    def wants_body(self, request: Request) -> bool:
        return call_of(request).kind in BODIED

    def read(self, request: Request, body: bytes | None) -> Reading:
        return OpenAiReading(request, body, call_of(request))
