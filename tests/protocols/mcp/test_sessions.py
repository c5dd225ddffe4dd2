"""GET and DELETE in a session."""

import orjson
import pytest

from sbc.model.errors import Refusal
from sbc.protocols.mcp import Mcp
from sbc.protocols.mcp.memory import Memory
from sbc.protocols.protocol import Conversation, Ids, Rest
from tests.protocols.mcp.shapes import (
    NODE_ID,
    TOKEN,
    V2025,
    ask,
    begin,
    call,
    event,
    json,
    move,
    request,
    said,
    sse,
    token,
    told,
)


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    begin(Mcp(), memory)
    return memory


LAST = (b"last-event-id", b"12-3")


def test_a_stream_stands_and_outlives_its_client(memory: Memory) -> None:
    reading, sent = ask(Mcp(), memory, request(method=b"GET", session=TOKEN, version=V2025, more=[LAST]))
    assert reading.standing and reading.outlives and reading.needs_session and reading.ids is Ids.OWN
    assert reading.after == "12-3" and sent.first(b"last-event-id") is None, "the id is the edge's: no node knows it"
    assert sent.first(b"mcp-session-id") == NODE_ID and reading.safe
    assert reading.answered(sse(NODE_ID), token, memory).first(b"mcp-session-id") == TOKEN


def test_a_node_may_close_it_and_is_asked_again(memory: Memory) -> None:
    reading, _ = ask(Mcp(), memory, request(method=b"GET", session=TOKEN))
    assert not reading.complete() and (reading.rest, reading.retry) == (Rest.SAME, 1.0)
    reading.event(b"retry: 99999999\n\n")
    assert reading.retry == 60.0
    again = reading.resume(b"n-4")
    assert again is not None and reading.outgoing(again[0], memory).first(b"last-event-id") == b"n-4"
    for _ in range(5):
        reading.complete()
    assert reading.complete(), "no use: the client may try"


def test_another_owner_knows_nothing_of_the_last_id(memory: Memory) -> None:
    reading, _ = ask(Mcp(), memory, request(method=b"GET", session=TOKEN))
    move(memory, b"second")
    assert not reading.complete() and reading.rest is Rest.LOST
    again = reading.resume(b"n-4")
    assert again is not None
    sent = reading.outgoing(again[0], memory)
    assert (sent.first(b"last-event-id"), sent.first(b"mcp-session-id")) == (None, b"second")
    assert said(reading.event(event(call(1, "roots/list"))))[0]["id"] != 1
    plain = event(told("notifications/tools/list_changed"))
    assert reading.event(plain) == plain


def test_its_end_is_no_failure(memory: Memory) -> None:
    reading, _ = ask(Mcp(), memory, request(method=b"GET", session=TOKEN))
    words = reading.last_words(begun=True)
    assert (words.body, words.clean) == (b"", True)
    assert orjson.loads(reading.last_words(begun=False).body)["id"] is None


def test_without_a_session_it_is_the_nodes_affair() -> None:
    reading, sent = ask(Mcp(), Memory(), request(method=b"GET", more=[LAST]))
    assert reading.keys == () and not reading.needs_session and reading.after is None and reading.ids is Ids.KEEP
    assert sent.first(b"last-event-id") == b"12-3"
    assert reading.complete() and reading.resume(b"1") is None


def test_a_session_of_another_protocol_is_no_fault() -> None:
    asked = request(call(1, "ping"), session=TOKEN)
    reading = Mcp().read(*asked)
    reading.joins(Conversation())
    assert reading.outgoing(asked[0], Conversation()).first(b"mcp-session-id") is None


def test_delete_ends_the_session(memory: Memory) -> None:
    reading, sent = ask(Mcp(), memory, request(method=b"DELETE", session=TOKEN))
    assert reading.ends and reading.needs_session and reading.safe and not reading.standing
    assert sent.first(b"mcp-session-id") == NODE_ID
    assert reading.answered(json(405), token, memory).status == 405


def test_a_session_that_is_gone_is_told_in_json_rpc(memory: Memory) -> None:
    reading, _ = ask(Mcp(), memory, request(method=b"DELETE", session=TOKEN))
    answer = reading.refusal(Refusal(404, "session_gone", "this session has ended"))
    assert answer is not None and answer[0].status == 404
    assert orjson.loads(answer[1])["error"]["message"] == "this session has ended"
