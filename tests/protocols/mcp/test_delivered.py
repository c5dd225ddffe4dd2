"""What a client has of an answer: each response once, and after a handover nothing twice."""

import orjson

from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.delivered import MOST_REMEMBERED, MOST_RESTARTS, Delivered
from sbc.protocols.mcp.jsonrpc import Message
from tests.protocols.mcp.shapes import call, json, result, said, sse, told


def messages(*values: dict[str, object]) -> list[Message]:
    return [jsonrpc.message(value) for value in values]


def passing(delivered: Delivered, *values: dict[str, object]) -> list[bool]:
    return [delivered.passes(each) for each in messages(*values)]


def progress(value: float, token: str = "p") -> dict[str, object]:
    return told("notifications/progress", progressToken=token, progress=value)


LOG = told("notifications/message", level="info", data="one")


def test_a_response_comes_once() -> None:
    delivered = Delivered(messages(call(1, "ping"), call("1", "ping"), told("notifications/x")))
    assert passing(delivered, result(1), result(1), result("1"), result(9)) == [True, False, True, True]
    assert delivered.whole


def test_before_a_handover_everything_passes() -> None:
    delivered = Delivered(messages(call(1, "ping")))
    assert passing(delivered, progress(2), progress(1), LOG, LOG) == [True] * 4
    assert not delivered.whole


def test_after_it_nothing_is_doubled() -> None:
    delivered = Delivered(messages(call(1, "ping")))
    passing(delivered, progress(0.1), LOG, progress(0.5), LOG)
    assert delivered.restart()
    again = passing(delivered, progress(0.1), LOG, progress(0.5), progress(0.6), LOG, LOG, call(3, "roots/list"))
    assert again == [False, False, False, True, False, True, True]


def test_a_request_that_breaks_nodes_goes_to_few() -> None:
    delivered = Delivered(messages(call(1, "ping")))
    assert [delivered.restart() for _ in range(MOST_RESTARTS + 1)] == [True] * MOST_RESTARTS + [False]


def test_bounded() -> None:
    delivered = Delivered(messages(call(1, "ping")))
    for number in range(2 * MOST_REMEMBERED):
        delivered.passes(messages(progress(number, f"t{number}"))[0])
        delivered.passes(messages(told("notifications/message", data=number))[0])
    assert len(delivered._progress) == len(delivered._said) == MOST_REMEMBERED


def test_odd_progress_passes() -> None:
    assert passing(Delivered(()), told("notifications/progress"), told("notifications/progress", progressToken=[1]))


def test_last_words_before_an_answer() -> None:
    words = Delivered(messages(call(7, "tools/call"))).last_words(begun=False)
    error = orjson.loads(words.body)
    assert words.status == 502 and error["id"] == 7 and error["error"]["data"] == {"outcome": "unknown"}
    assert -32019 <= error["error"]["code"] <= -32000
    assert orjson.loads(Delivered(()).last_words(begun=False).body)["id"] is None


def test_last_words_within_events() -> None:
    delivered = Delivered(messages(call(1, "a"), call(2, "b")))
    delivered.streamed = True
    passing(delivered, result(1))
    words = delivered.last_words(begun=True)
    assert words.clean and [each["id"] for each in said(words.body)] == [2]


def test_within_json_there_is_nothing_to_say() -> None:
    words = Delivered(messages(call(1, "a"))).last_words(begun=True)
    assert (words.body, words.clean) == (b"", False)


def test_a_whole_answer_in_the_place_of_a_stream() -> None:
    delivered = Delivered(messages(call(1, "a")))
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Session not found"}}
    assert delivered.gone_on(json(404), orjson.dumps(error)) == []
    assert delivered.gone_on(json(503), b"busy") == []
    assert [each.id for each in delivered.gone_on(json(), orjson.dumps(result(1)))] == [1]
    assert delivered.gone_on(sse(), b"data: " + orjson.dumps(result(1)) + b"\n\n") == []
