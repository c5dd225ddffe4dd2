"""The past of a session, as a new owner lives through it."""

import orjson
import pytest

from sbc.model.http import Response
from sbc.protocols.mcp import Mcp
from sbc.protocols.mcp.memory import MOST_SUBSCRIPTIONS, Memory, visible
from tests.protocols.mcp.shapes import (
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
    told,
)


def test_nothing_was_begun() -> None:
    memory = Memory()
    assert memory.prelude() == () and memory.dump() == "" and memory.moved() == []
    memory.taken()
    memory.load("")
    assert memory.generation == 0


def test_a_new_owner_is_asked_the_same_in_the_same_order() -> None:
    memory = Memory()
    begin(Mcp(), memory, call(1, "logging/setLevel", level="debug"), call(2, "resources/subscribe", uri="a:1"),
          call(3, "resources/subscribe", uri="a:2"), call(4, "resources/unsubscribe", uri="a:1"))  # fmt: skip
    assert memory.node_id == NODE_ID
    asked = move(memory, b"second")
    bodies = [body for _, body in asked]
    assert bodies[0] == INITIALIZE and bodies[1] == told("notifications/initialized")
    assert [(body["method"], body["params"]) for body in bodies[2:]] == [
        ("logging/setLevel", {"level": "debug"}), ("resources/subscribe", {"uri": "a:2"}),
    ]  # fmt: skip
    assert len({body["id"] for body in bodies[2:]}) == 2
    heads = [each for each, _ in asked]
    assert [each.first(b"mcp-session-id") for each in heads] == [None] + [b"second"] * 3
    assert [each.first(b"mcp-protocol-version") for each in heads] == [None] + [V2025] * 3
    assert all(each.method == b"POST" and each.target == b"/mcp" and each.bodied for each in heads)
    assert all(each.length == len(orjson.dumps(body)) for each, body in asked)
    assert (memory.node_id, memory.generation) == (b"second", 1)


def test_credentials_are_those_of_the_newest_request() -> None:
    memory, protocol = Memory(), Mcp()
    begin(protocol, memory)
    ask(protocol, memory, request(call(1, "tools/list"), session=TOKEN, more=[(b"authorization", b"Bearer new")]))
    assert [each.first(b"authorization") for each in memory.prelude()] == [b"Bearer new"] * 2


def test_a_handover_that_comes_to_nothing_changes_nothing() -> None:
    memory = Memory()
    begin(Mcp(), memory)
    first = memory.prelude()[0]
    assert memory.prelude_answered(first, sse(b"third"), event(result(0, **SERVER)))
    assert (memory.node_id, memory.generation) == (NODE_ID, 0)
    assert move(memory, b"second") and (memory.node_id, memory.generation) == (b"second", 1)


@pytest.mark.parametrize(("response", "body"), [
    (json(503), b"{}"), (json(), b"<html>"), (sse(b"x"), b""),
    (json(200, b"x"), orjson.dumps({"jsonrpc": "2.0", "id": 0, "error": {"code": 1, "message": "no"}})),
    (sse(b"x"), event(result(0, **{**SERVER, "protocolVersion": "2025-03-26"}))),
])  # fmt: skip
def test_who_cannot_take_it(response: Response, body: bytes) -> None:
    memory = Memory()
    begin(Mcp(), memory)
    assert not memory.prelude_answered(memory.prelude()[0], response, body)


def test_initialized_has_to_be_taken_a_level_has_not() -> None:
    memory = Memory()
    begin(Mcp(), memory, call(1, "logging/setLevel", level="debug"))
    _, initialized, level = memory.prelude()
    assert not memory.prelude_answered(initialized, json(400), b"")
    assert memory.prelude_answered(level, json(400), b"")


def test_an_owner_without_an_id_is_asked_without() -> None:
    memory = Memory()
    begin(Mcp(), memory)
    asked = move(memory, None)
    assert asked[1][0].first(b"mcp-session-id") is None and memory.node_id is None


def test_standing_streams_are_told_to_look_again() -> None:
    memory = Memory()
    begin(Mcp(), memory, call(2, "resources/subscribe", uri="a:2"))
    move(memory, b"second")
    assert said(b"".join(memory.moved())) == [
        told("notifications/tools/list_changed"), told("notifications/resources/updated", uri="a:2"),
    ]  # fmt: skip


def test_it_outlives_a_restart_without_credentials() -> None:
    memory, protocol = Memory(), Mcp()
    begin(protocol, memory, call(1, "logging/setLevel", level="info"), call(2, "resources/subscribe", uri="ü:2"))
    move(memory, b"second")
    ask(protocol, memory, request(call(1, "tools/list"), session=TOKEN, more=[(b"authorization", b"Bearer x")]))
    memory.tools.learn({"tools": [{"name": "look", "annotations": {"readOnlyHint": True}}, {"name": "pay"}]})
    text = memory.dump()
    assert "Bearer" not in text
    again = Memory()
    again.load(text)
    assert (again.node_id, again.generation) == (b"second", 1)
    before, after = memory.prelude(), again.prelude()
    assert [memory.body_of(each) for each in before] == [again.body_of(each) for each in after]
    assert again.dump() == text
    assert [again.tools.repeatable(name) for name in ("look", "pay", "else")] == [True, False, False]


@pytest.mark.parametrize("text", ["{", "[]", "{}", "null", '{"initialize": 1}'])
def test_a_spoilt_record(text: str) -> None:
    with pytest.raises(ValueError):
        Memory().load(text)


def test_bounded() -> None:
    memory, protocol = Memory(), Mcp()
    begin(protocol, memory)
    for number in range(MOST_SUBSCRIPTIONS + 5):
        body = call(number, "resources/subscribe", uri=f"a:{number}")
        reading, _ = ask(protocol, memory, request(body, session=TOKEN))
        reading.answered(json(), lambda: b"", memory)
    reading, _ = ask(protocol, memory, request(call(1, "logging/setLevel", level="x" * 1000), session=TOKEN))
    reading.answered(json(), lambda: b"", memory)
    assert len(memory.prelude()) == 2 + MOST_SUBSCRIPTIONS


def test_visible() -> None:
    assert visible(b"abc-!~") and not any(visible(each) for each in (b"", b"a b", b"a\x7f", b"\xfc", b"x" * 2000))
