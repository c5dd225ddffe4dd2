"""Agents written for Amazon Bedrock AgentCore Runtime, with the edge in the platform's place.

Facts (AgentCore developer guide, "HTTP protocol contract"; InvokeAgentRuntime in the API reference; the
`bedrock-agentcore` Python package, read in its source):
  A container listens on port 8080: `POST /invocations` (JSON in; JSON or a stream of events out), `/ws` (WebSocket),
  `GET /ping`, answered by {"status": "Healthy" | "HealthyBusy", "time_of_last_update": seconds}. HealthyBusy is as
  alive as Healthy: work goes on in the background, so that a session is not at rest although no request is under way.
  A session is named by the client in `X-Amzn-Bedrock-AgentCore-Runtime-Session-Id`, 33 to 256 characters; a browser,
  whose WebSocket can set no headers, in a query parameter of that name (so do pre-signed URLs). A session that is
  named again after its compute was lost begins anew there: the memory of the agent is gone, its storage is not.
  A client that names none is told one in the same header of the answer. Here that is the edge's sealed token; the
  agent sees an id of the session's own, the same for as long as the session lives.
  Errors are {"message": ...} with the error's name in `x-amzn-ErrorType` (AWS restJson1 protocol). A stream that
  fails half way ends with an event {"error", "error_type", "message"}.

An invocation may have acted: it is sent a second time only where the manifest says so. Events have no ids, and a
stream cannot be asked for the rest of.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl

import orjson

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, Response
from sbc.protocols.bodies import JSON_TYPE, unencoded
from sbc.protocols.events import make_event
from sbc.protocols.protocol import Conversation, Key, LastWords, Protocol, Reading, Rejection

SESSION = b"x-amzn-bedrock-agentcore-runtime-session-id"
SHORTEST, LONGEST = 33, 256
"""Characters of a session's name."""

_PARAMETER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
_ERROR_TYPE = b"x-amzn-errortype"
_TOKEN = re.compile(r"[\w-]+\.[A-Za-z0-9_-]{64,}")
"""What the edge's own tokens look like (core/seal.py)."""

_ERRORS = {
    400: b"ValidationException", 401: b"AccessDeniedException", 403: b"AccessDeniedException",
    404: b"ResourceNotFoundException", 413: b"ValidationException", 429: b"ThrottlingException",
}  # fmt: skip
_INTERNAL = b"InternalServerException"
_LOST = "the agent was lost; it may have acted on this"


class AgentCoreReading(Reading):
    __slots__ = ("_named", "begins", "keys")

    def __init__(self, request: Request, body: bytes | None, name: str | None) -> None:
        super().__init__(request, body)
        called = request.path.rpartition(b"/")[2] in (b"invocations", b"ws")
        token = name is not None and _TOKEN.fullmatch(name) is not None
        self.keys = [Key("token" if token else "agentcore", name)] if called and name is not None else []
        self.begins = called
        self._named = not called or (name is not None and not token)
        """Whether the client's own name of the session, or none, is what a node is to see."""

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        asked = unencoded(request)
        plain = asked.first(b"session-id")
        if self._named or plain is None:
            return asked
        # The prefix makes it as long as a name has to be.
        fields = [field for field in asked.fields if field[0] != SESSION]
        return replace(asked, fields=[*fields, (SESSION, b"sbc-session-" + plain)])

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        if self._named:
            return response
        fields = [field for field in response.fields if field[0] != SESSION]
        return replace(response, fields=[*fields, (SESSION, token())])

    def last_words(self, *, begun: bool) -> LastWords:
        if not begun:
            return LastWords(_message(_LOST), True, fields=((_ERROR_TYPE, _INTERNAL),))
        told = {"error": _LOST, "error_type": "AgentLost", "message": "the answer is incomplete"}
        return LastWords(make_event(orjson.dumps(told)), False)

    def refusal(self, refused: Refusal) -> tuple[Response, bytes]:
        body = _message(refused.detail)
        fields: Fields = [JSON_TYPE, (_ERROR_TYPE, _ERRORS.get(refused.status, _INTERNAL))]
        return Response(refused.status, fields, len(body)), body


def _message(text: str) -> bytes:
    return orjson.dumps({"message": text})


def _name_of(request: Request) -> str | None:
    """What the client calls its session. Raises Rejection for a name that the platform would not take."""
    field = request.first(SESSION)
    name = field.decode("latin-1") if field is not None else _parameter(request.target)
    if name is not None and not SHORTEST <= len(name) <= LONGEST:
        detail = f"{_PARAMETER} has {SHORTEST} to {LONGEST} characters"
        response = Response(400, [JSON_TYPE, (_ERROR_TYPE, _ERRORS[400])])
        raise Rejection("session_key", detail, response, _message(detail))
    return name


def _parameter(target: bytes) -> str | None:
    query = target.partition(b"?")[2].decode("latin-1")
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == _PARAMETER:
            return value
    return None


class AgentCore(Protocol):
    def read(self, request: Request, body: bytes | None) -> Reading:
        return AgentCoreReading(request, body, _name_of(request))
