"""POST in the older eras: who is asked what, and what the client sees when a node is lost."""

from typing import Any

import orjson
import pytest

from sbc.model.errors import Refusal
from sbc.model.http import Request, Response
from sbc.protocols.mcp import Mcp
from sbc.protocols.mcp.memory import Memory
from sbc.protocols.protocol import Ids, Key, Reading, Rest
from tests.protocols.mcp.shapes import (
    ACCEPT,
    INITIALIZE,
    NODE_ID,
    SERVER,
    TOKEN,
    V2025,
    ask,
    begin,
    call,
    event,
    json,
    move,
    request,
    result,
    said,
    sse,
    token,
    told,
)


def in_session(protocol: Mcp, memory: Memory, body: Any) -> tuple[Reading, Request]:
    return ask(protocol, memory, request(body, session=TOKEN, version=V2025))


def streaming(memory: Memory, body: Any, protocol: Mcp | None = None) -> Reading:
    reading, _ = in_session(protocol or Mcp(), memory, body)
    reading.answered(sse(NODE_ID), token, memory)
    return reading


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    begin(Mcp(), memory)
    return memory


# Ids of sessions.

def test_initialize_begins_a_session_under_the_edges_own_id() -> None:
    memory = Memory()
    reading, sent = ask(Mcp(), memory, request(INITIALIZE))
    assert reading.begins and reading.keys == () and not reading.needs_session and reading.safe and reading.outlives
    assert sent.first(b"mcp-session-id") is None and sent.first(b"accept-encoding") == b"identity"
    response = reading.answered(sse(NODE_ID), token, memory)
    assert response.first(b"mcp-session-id") == TOKEN and memory.node_id == NODE_ID


@pytest.mark.parametrize("response", [sse(), json(503), json(400, NODE_ID), json(200, b"b\xfcd")])
def test_without_an_id_of_the_nodes_there_is_no_session(response: Response) -> None:
    memory = Memory()
    reading, _ = ask(Mcp(), memory, request(INITIALIZE))

    def never() -> bytes:
        raise AssertionError("a token was made")

    assert reading.answered(response, never, memory).first(b"mcp-session-id") is None
    assert memory.prelude() == ()


def test_later_requests_are_known_by_the_token_and_reach_the_node_under_its_own(memory: Memory) -> None:
    reading, sent = in_session(Mcp(), memory, call(1, "tools/list"))
    assert reading.keys == (Key("token", TOKEN.decode()),) and reading.needs_session and not reading.begins
    assert reading.ids is Ids.OWN and reading.outlives
    assert [value for name, value in sent.fields if name == b"mcp-session-id"] == [NODE_ID]
    assert sent.first(b"mcp-protocol-version") == V2025
    assert reading.answered(sse(NODE_ID), token, memory).first(b"mcp-session-id") == TOKEN
    move(memory, b"second")
    assert reading.outgoing(reading.request, memory).first(b"mcp-session-id") == b"second"


def test_a_stateless_servers_requests_stand_for_themselves() -> None:
    reading, sent = ask(Mcp(), Memory(), request(call(1, "tools/list"), version=V2025))
    assert not reading.begins and reading.keys == () and not reading.needs_session and not reading.outlives
    assert sent.first(b"mcp-session-id") is None and reading.ids is Ids.KEEP
    assert reading.answered(sse(b"stray"), token, Memory()).first(b"mcp-session-id") is None


def test_a_node_that_forgot_the_session_is_as_good_as_lost(memory: Memory) -> None:
    reading, _ = in_session(Mcp(), memory, call(1, "tools/call", name="pay"))
    assert not reading.forgotten(json(400)) and reading.forgotten(json(404))
    assert not reading.forgotten(json(404)), "a session begun just now was forgotten too: so be it"
    alone, _ = ask(Mcp(), Memory(), request(call(1, "tools/list")))
    assert not alone.forgotten(json(404))


# A node is lost.

def test_a_safe_request_is_made_again_and_nothing_comes_twice(memory: Memory) -> None:
    reading = streaming(memory, call(1, "resources/read", uri="a"))
    assert reading.event(b"id: 1\r\ndata: \r\n\r\n") == b"id: 1\r\ndata: \r\n\r\n"
    for value in (0.1, 0.2):
        assert reading.event(event(told("notifications/progress", progressToken=1, progress=value), b"2"))
    assert not reading.complete()
    move(memory, b"second")
    again = reading.resume(b"2")
    assert again is not None and again[0].method == b"POST" and orjson.loads(again[1])["id"] == 1
    sent = reading.outgoing(again[0], memory)
    assert sent.first(b"mcp-session-id") == b"second" and sent.first(b"last-event-id") is None
    assert reading.event(event(told("notifications/progress", progressToken=1, progress=0.1))) is None
    assert reading.event(event(told("notifications/progress", progressToken=1, progress=0.3))) is not None
    assert reading.event(event(result(1, contents=[]))) is not None and reading.complete()
    assert reading.event(event(result(1, contents=[]))) is None


def test_an_unsafe_one_fails_as_unknown(memory: Memory) -> None:
    reading = streaming(memory, call("a", "tools/call", name="pay"))
    reading.event(event(told("notifications/message", data="x"), b"1"))
    move(memory, b"second")
    assert not reading.safe and reading.resume(b"1") is None
    words = reading.last_words(begun=True)
    assert words.clean and [(each["id"], each["error"]["data"]["outcome"]) for each in said(words.body)] == [
        ("a", "unknown"),
    ]  # fmt: skip
    assert orjson.loads(reading.last_words(begun=False).body)["id"] == "a"


def test_towards_the_same_node_the_rest_is_asked_for_by_id(memory: Memory) -> None:
    reading = streaming(memory, call("a", "tools/call", name="pay"))
    reading.event(b"id: n-1\r\nretry: 250\r\ndata: \r\n\r\n")
    assert not reading.complete() and (reading.rest, reading.retry) == (Rest.SAME, 0.25)
    again = reading.resume(b"n-1")
    assert again is not None and again[1] == b"" and not again[0].bodied
    sent = reading.outgoing(again[0], memory)
    assert (sent.method, sent.first(b"last-event-id"), sent.first(b"mcp-session-id")) == (b"GET", b"n-1", NODE_ID)
    assert [value for name, value in sent.fields if name == b"accept"] == [b"text/event-stream"]
    assert reading.event(event(result("a"))) is not None and reading.complete()


def test_a_node_that_closes_again_and_again_is_asked_no_more(memory: Memory) -> None:
    reading = streaming(memory, call("a", "tools/call", name="pay"))
    reading.event(b"id: n-1\r\ndata: \r\n\r\n")
    rests = []
    for _ in range(7):
        assert not reading.complete()
        rests.append(reading.rest)
    assert rests == [Rest.SAME] * 5 + [Rest.LOST] * 2 and reading.resume(b"n-1") is None


def test_a_stream_without_ids_that_ends_early_is_a_fault(memory: Memory) -> None:
    reading = streaming(memory, call(1, "tools/call", name="pay"))
    assert not reading.complete() and reading.rest is Rest.LOST and reading.resume(None) is None


def test_a_stream_may_be_gone_on_with_by_json(memory: Memory) -> None:
    reading = streaming(memory, call(1, "tools/list"))
    reading.event(event(told("notifications/message", data="x")))
    move(memory, b"second")
    assert reading.resume(None) is not None
    assert said(reading.resume_answered(json(), orjson.dumps(result(1, tools=[])))) == [result(1, tools=[])]
    assert reading.complete() and reading.resume_answered(json(405), b"") is None


def test_an_initialize_whose_stream_broke(memory: Memory) -> None:
    memory = Memory()
    reading, _ = ask(Mcp(), memory, request(INITIALIZE))
    reading.answered(sse(NODE_ID), token, memory)
    assert not reading.complete()
    move(memory, b"second")
    again = reading.resume(None)
    assert again is not None and reading.outgoing(again[0], memory).first(b"mcp-session-id") == b"second"
    assert reading.event(event(result(0, **SERVER))) is not None and reading.complete()


# Questions of nodes.

def test_what_the_client_answers_reaches_only_who_asked(memory: Memory) -> None:
    first = streaming(memory, call(1, "tools/list"))
    assert said(first.event(event(call(5, "roots/list")))) == [call(5, "roots/list")]
    move(memory, b"second")
    again = first.resume(None)
    assert again is not None
    first.outgoing(again[0], memory)
    asked = said(first.event(event(call(5, "roots/list"), b"7")))[0]
    assert asked["id"] != 5 and asked["method"] == "roots/list"
    for identity, expected in ((5, False), (asked["id"], True)):
        answer, sent = in_session(Mcp(), memory, result(identity, roots=[]))
        seen = orjson.loads(answer.body or b"")
        assert (seen["id"] == 5) is expected and seen["result"] == {"roots": []}
        assert sent.length == len(answer.body or b"") and answer.safe


# Batches of 2025-03-26.

def test_a_batch_is_answered_message_by_message(memory: Memory) -> None:
    reading = streaming(memory, [call(1, "ping"), told("notifications/cancelled", requestId=0), call(2, "tools/list")])
    assert reading.safe and not reading.begins
    assert said(reading.event(event([result(1)]))) == [[result(1)]]
    move(memory, b"second")
    assert reading.resume(None) is not None
    assert said(reading.event(event([result(1), result(2)]))) == [result(2)] and reading.complete()


def test_a_batch_fails_message_by_message(memory: Memory) -> None:
    reading, _ = in_session(Mcp(), memory, [call(1, "ping"), call(2, "tools/call", name="pay")])
    assert not reading.safe
    assert [each["id"] for each in orjson.loads(reading.last_words(begun=False).body)] == [1, 2]


# Annotations.

LIST = result(1, tools=[{"name": "look", "annotations": {"readOnlyHint": True}}, {"name": "pay"}])


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("trust", [True, False])
def test_annotations_count_if_they_are_trusted(memory: Memory, streams: bool, trust: bool) -> None:
    protocol = Mcp(trust_annotations=trust)
    listing, _ = in_session(protocol, memory, call(1, "tools/list"))
    assert listing.wants_answer is trust
    listing.answered(sse() if streams else json(), token, memory)
    body = orjson.dumps(LIST)
    assert listing.event(event(LIST)) == event(LIST) if streams else listing.whole_answer(body) == body
    look, _ = in_session(protocol, memory, call(2, "tools/call", name="look"))
    pay, _ = in_session(protocol, memory, call(3, "tools/call", name="pay"))
    other, _ = ask(protocol, Memory(), request(call(2, "tools/call", name="look"), session=TOKEN))
    assert (look.safe, pay.safe, other.safe) == (trust, False, False)


# Refusals.

def test_refusals_speak_json_rpc(memory: Memory) -> None:
    reading, _ = in_session(Mcp(), memory, call("x", "tools/list"))
    answer = reading.refusal(Refusal(503, "no_node", "nobody", retry_after=1))
    assert answer is not None and answer[0].status == 503 and answer[0].first(b"retry-after") == b"1"
    assert orjson.loads(answer[1])["id"] == "x"


def test_a_notification_needs_no_answer(memory: Memory) -> None:
    reading, _ = in_session(Mcp(), memory, told("notifications/cancelled", requestId=1))
    assert reading.safe and reading.complete() and reading.answered(Response(202), token, memory).status == 202
    assert ACCEPT in reading.request.fields
