"""2026-07-28 subscriptions: moved without their client noticing more than that it has to look again."""

from typing import Any

import orjson

from sbc.protocols.mcp import Mcp
from sbc.protocols.mcp.listen import MOST_SILENT
from sbc.protocols.mcp.memory import Memory
from sbc.protocols.protocol import Ids, Key, Reading, Rest
from tests.protocols.mcp.shapes import ask, call, event, json, modern, result, said, sse, token, told

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
META = {SUBSCRIPTION: "listen-1"}
FILTERS = {"toolsListChanged": True, "promptsListChanged": False, "resourceSubscriptions": ["a:1", "a:2"]}
ACK = event(told("notifications/subscriptions/acknowledged", notifications=FILTERS, _meta=META))
GRACEFUL = event(result("listen-1", _meta=META, resultType="complete"))
CHANGED = event(told("notifications/tools/list_changed", _meta=META))


def listening(filters: dict[str, Any] = FILTERS) -> Reading:
    reading, _ = ask(Mcp(), Memory(), modern(call("listen-1", "subscriptions/listen", notifications=filters)))
    reading.answered(sse(), token, Memory())
    return reading


def test_it_stands_and_ends_with_its_client() -> None:
    reading = listening()
    assert reading.standing and not reading.outlives and reading.safe and reading.ids is Ids.KEEP
    assert not reading.begins and not reading.wants_answer
    assert reading.event(ACK) == ACK and reading.event(CHANGED) == CHANGED
    assert reading.event(b": ping\r\n\r\n") == b": ping\r\n\r\n"


def test_tasks_that_are_listened_for_say_where() -> None:
    reading = listening({"taskIds": ["t-1", 5, "t-2"]})
    assert reading.keys == (Key("task", "t-1"), Key("task", "t-2"))
    assert listening({"taskIds": "t-1"}).keys == ()


def test_a_node_that_drains() -> None:
    reading = listening()
    reading.event(ACK)
    assert reading.event(GRACEFUL) is None, "the client is not told"
    assert not reading.complete() and reading.rest is Rest.OTHER
    again = reading.resume(None)
    assert again is not None and orjson.loads(again[1])["id"] == "listen-1"
    assert said(reading.event(ACK)) == [
        told("notifications/tools/list_changed", _meta=META),
        told("notifications/resources/updated", _meta=META, uri="a:1"),
        told("notifications/resources/updated", _meta=META, uri="a:2"),
    ]
    assert reading.event(CHANGED) == CHANGED and reading.rest is Rest.LOST


def test_a_node_that_dies() -> None:
    reading = listening()
    reading.event(ACK)
    assert not reading.complete() and reading.rest is Rest.LOST
    assert reading.resume(None) is not None and len(said(reading.event(ACK))) == 3


def test_one_that_dies_before_it_acknowledged() -> None:
    reading = listening()
    assert reading.resume(None) is not None and reading.event(ACK) == ACK


def test_nothing_was_accepted_nothing_is_missed() -> None:
    reading = listening()
    ack = event(told("notifications/subscriptions/acknowledged", notifications={}, _meta=META))
    reading.event(ack)
    reading.resume(None)
    assert reading.event(ack) == b""


def test_a_result_in_the_place_of_an_acknowledgement_is_the_answer() -> None:
    reading = listening()
    assert reading.event(GRACEFUL) == GRACEFUL and reading.complete()


def test_an_error_is_no_farewell() -> None:
    reading = listening()
    reading.event(ACK)
    error = event({"jsonrpc": "2.0", "id": "listen-1", "error": {"code": -32603, "message": "limit"}})
    assert reading.event(error) == error and reading.complete()


def test_nodes_that_only_ever_end_it() -> None:
    reading = listening()
    reading.event(ACK)
    rounds = 0
    while reading.event(GRACEFUL) is None:
        assert not reading.complete() and reading.resume(None) is not None
        reading.event(ACK)
        rounds += 1
    assert rounds == MOST_SILENT and reading.complete()


def test_nodes_that_only_ever_break_it() -> None:
    reading = listening()
    reading.event(ACK)
    assert [reading.resume(None) is not None for _ in range(MOST_SILENT + 1)] == [True] * MOST_SILENT + [False]
    assert said(reading.last_words(begun=True).body)[0]["id"] == "listen-1"


def test_the_next_node_cannot_do_it() -> None:
    reading = listening()
    reading.event(ACK)
    reading.resume(None)
    error = {"jsonrpc": "2.0", "id": "listen-1", "error": {"code": -32601, "message": "no such method"}}
    assert said(reading.resume_answered(json(404), orjson.dumps(error))) == [error] and reading.complete()


def test_the_edge_goes() -> None:
    assert said(listening().farewell()) == [result("listen-1", _meta=META, resultType="complete")]
