"""AgentCore through the edge: sessions by the platform's header, told to clients that name none, errors in its form."""

from typing import Any

import orjson
import pytest

from sbc.core.seal import NONCE_BYTES, Seal
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, Response
from sbc.model.ids import PrincipalId, SessionId
from sbc.protocols.agentcore import LONGEST, SESSION, SHORTEST, AgentCore
from sbc.protocols.events import event_data
from sbc.protocols.protocol import Conversation, Ids, Key, Rejection

AGENTCORE = AgentCore()
NAME = "8f4e2a1c-7d55-4c0e-9a33-5b1f0c2d9e77"
PLAIN = "0123456789abcdef0123456789abcdef"
TOKEN = Seal({"k1": bytes(32)}).seal(SessionId(PLAIN), PrincipalId("address:192.0.2.1"), bytes(NONCE_BYTES))


def invoked(*fields: tuple[bytes, bytes], target: bytes = b"/invocations", method: bytes = b"POST") -> Any:
    sent: Fields = [(b"content-type", b"application/json"), (b"accept-encoding", b"gzip"), *fields]
    request = Request(method, target, b"agent.example", sent, bodied=method == b"POST", length=21)
    assert not AGENTCORE.wants_body(request)
    return AGENTCORE.read(request, None)


def named(name: str) -> tuple[bytes, bytes]:
    return SESSION, name.encode()


def seen_by_node(reading: Any) -> list[bytes]:
    fields = [*reading.request.fields, (b"session-id", PLAIN.encode())]
    request = Request(b"POST", reading.request.target, b"agent", fields)
    sent = reading.outgoing(request, Conversation())
    assert sent.first(b"accept-encoding") == b"identity"
    return [value for name, value in sent.fields if name == SESSION]


def told_to_client(reading: Any, *fields: tuple[bytes, bytes]) -> list[bytes]:
    response = Response(200, [(b"content-type", b"application/json"), *fields])
    answer = reading.answered(response, TOKEN.encode, Conversation())
    assert answer.first(b"content-type") == b"application/json"
    return [value for name, value in answer.fields if name == SESSION]


@pytest.mark.parametrize("target", [
    b"/invocations", b"/invocations?qualifier=DEFAULT",
    b"/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-west-2%3A123456789012%3Aruntime%2Ftutor-a1b2/invocations",
])  # fmt: skip
def test_a_session_goes_by_the_name_that_its_client_gave(target: bytes) -> None:
    reading = invoked(named(NAME), target=target)
    assert (reading.keys, reading.begins) == ([Key("agentcore", NAME)], True)
    assert seen_by_node(reading) == [NAME.encode()]
    assert told_to_client(reading) == []
    assert told_to_client(reading, named(NAME)) == [NAME.encode()]


def test_a_client_that_names_none_is_told_one() -> None:
    reading = invoked()
    assert (reading.keys, reading.begins) == ([], True)
    assert seen_by_node(reading) == [b"sbc-session-" + PLAIN.encode()]
    assert told_to_client(reading, named("a-name-that-the-agent-made-up-by-itself")) == [TOKEN.encode()]
    assert SHORTEST <= len(TOKEN) <= LONGEST
    again = invoked(named(TOKEN))
    assert (again.keys, again.begins) == ([Key("token", TOKEN)], True)
    assert seen_by_node(again) == seen_by_node(reading)
    assert told_to_client(again) == [TOKEN.encode()]


def test_a_name_with_a_dot_is_not_yet_a_token() -> None:
    name = "user.42." + NAME
    assert invoked(named(name)).keys == [Key("agentcore", name)]


@pytest.mark.parametrize("length", [0, SHORTEST - 1, LONGEST + 1])
@pytest.mark.parametrize("in_query", [False, True])
def test_a_name_of_another_length_is_refused_as_the_platform_does(length: int, in_query: bool) -> None:
    query = b"/ws?X-Amzn-Bedrock-AgentCore-Runtime-Session-Id=" + b"x" * length
    with pytest.raises(Rejection) as raised:
        invoked(target=query) if in_query else invoked(named("x" * length))
    refused = raised.value
    assert refused.response.status == refused.status == 400
    assert refused.response.first(b"x-amzn-errortype") == b"ValidationException"
    assert refused.response.length == len(refused.body)
    assert "33 to 256" in orjson.loads(refused.body)["message"]


@pytest.mark.parametrize("length", [SHORTEST, LONGEST])
def test_names_of_every_length_that_the_platform_takes(length: int) -> None:
    assert invoked(named("x" * length)).keys == [Key("agentcore", "x" * length)]


def test_a_websocket_may_name_its_session_in_the_query() -> None:
    query = b"/ws?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amzn-Bedrock-AgentCore-Runtime-Session-Id="
    reading = invoked(target=query + NAME.encode(), method=b"GET")
    assert (reading.keys, reading.begins) == ([Key("agentcore", NAME)], True)
    other = "another-name-of-some-session-0123456789"
    assert invoked(named(other), target=query + NAME.encode(), method=b"GET").keys == [Key("agentcore", other)]


def test_a_ping_belongs_to_no_session() -> None:
    for fields in ([], [named(NAME)]):
        reading = invoked(*fields, target=b"/ping", method=b"GET")
        assert (reading.keys, reading.begins, reading.safe) == ([], False, True)
        assert seen_by_node(reading) == [value for _, value in fields]
        assert told_to_client(reading) == []


def test_an_invocation_may_have_acted() -> None:
    reading = invoked(named(NAME))
    event = b'data: {"result": "half"}\n\n'
    assert (reading.safe, reading.standing, reading.outlives, reading.ids) == (False, False, False, Ids.KEEP)
    assert reading.event(event) is event
    assert reading.resume(None) is None
    before = reading.last_words(begun=False)
    assert (before.status, before.clean) == (502, True)
    assert before.fields == ((b"x-amzn-errortype", b"InternalServerException"),)
    assert "may have acted" in orjson.loads(before.body)["message"]
    begun = reading.last_words(begun=True)
    assert not begun.clean
    assert set(orjson.loads(event_data(begun.body) or b"")) == {"error", "error_type", "message"}


@pytest.mark.parametrize(("status", "kind"), [
    (400, b"ValidationException"), (403, b"AccessDeniedException"), (404, b"ResourceNotFoundException"),
    (429, b"ThrottlingException"), (503, b"InternalServerException"), (504, b"InternalServerException"),
])  # fmt: skip
def test_refusals_have_the_platforms_form(status: int, kind: bytes) -> None:
    response, body = invoked(named(NAME)).refusal(Refusal(status, "why", "because"))
    assert (response.status, response.first(b"x-amzn-errortype")) == (status, kind)
    assert orjson.loads(body) == {"message": "because"}
