"""2026-07-28: requests that stand for themselves, and the little that binds them to a node."""

from hashlib import sha256
from typing import Any

import orjson
import pytest

from sbc.model.errors import Refusal
from sbc.protocols.mcp import Mcp
from sbc.protocols.mcp.memory import Memory
from sbc.protocols.protocol import Ids, Key, Reading
from tests.protocols.mcp.shapes import NODE_ID, TOKEN, ask, call, event, json, modern, result, said, sse, token, told

TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


def streaming(body: dict[str, Any], name: bytes | None = None, **more: Any) -> Reading:
    reading, _ = ask(Mcp(), Memory(), modern(body, name, **more))
    reading.answered(sse(), token, Memory())
    return reading


def test_what_means_nothing_here_goes_no_further() -> None:
    more = [(b"mcp-session-id", TOKEN), (b"last-event-id", b"4"), (b"mcp-param-region", b"eu")]
    reading, sent = ask(Mcp(), Memory(), modern(call(1, "tools/call", name="a"), b"a", more=more))
    assert reading.keys == () and not reading.needs_session and not reading.outlives and reading.ids is Ids.KEEP
    assert sent.first(b"mcp-session-id") is None and sent.first(b"last-event-id") is None
    assert sent.first(b"mcp-param-region") == b"eu" and sent.first(b"mcp-method") == b"tools/call"
    assert reading.answered(json(200, NODE_ID), token, Memory()).first(b"mcp-session-id") is None


def test_a_call_by_a_client_that_can_only_wait_begins_nothing() -> None:
    reading, _ = ask(Mcp(), Memory(), modern(call(1, "tools/call", name="a"), b"a"))
    assert not reading.begins and not reading.may_begin and not reading.wants_answer


@pytest.mark.parametrize("streams", [True, False])
def test_a_task_is_known_by_its_id(streams: bool) -> None:
    reading, _ = ask(Mcp(), Memory(), modern(call(1, "tools/call", name="a"), b"a", capabilities=TASKS))
    assert reading.may_begin and not reading.begins and reading.wants_answer
    task = result(1, resultType="task", taskId="t-1", status="working", ttlMs=1000)
    if streams:
        reading.answered(sse(), token, Memory())
        assert reading.event(event(task)) == event(task)
    else:
        reading.answered(json(), token, Memory())
        assert reading.whole_answer(orjson.dumps(task)) == orjson.dumps(task)
    assert reading.learned == [Key("task", "t-1")] and not reading.dispensable
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        later, _ = ask(Mcp(), Memory(), modern(call(2, method, taskId="t-1"), b"t-1"))
        assert later.keys == (Key("task", "t-1"),) and not later.may_begin and not later.needs_session


def test_a_state_comes_back_to_where_it_was_made() -> None:
    reading = streaming(call(1, "tools/call", name="a"), b"a", capabilities={"elicitation": {}})
    reading.event(event(result(1, resultType="input_required", requestState="ŝealed", inputRequests={})))
    key = Key("state", sha256("ŝealed".encode()).hexdigest())
    assert reading.learned == [key] and not reading.ends and reading.dispensable
    retry = call(2, "tools/call", name="a", requestState="ŝealed", inputResponses={})
    again = streaming(retry, b"a", capabilities={"elicitation": {}})
    assert again.keys == (key,) and again.may_begin and again.ends, "handed out to come back once"
    assert orjson.loads(again.body or b"")["params"]["requestState"] == "ŝealed"
    again.event(event(result(2, resultType="input_required", requestState="next")))
    assert again.learned[0].kind == "state" and not again.ends
    last = streaming(retry, b"a", capabilities={"elicitation": {}})
    last.event(event(result(2, resultType="complete", content=[])))
    assert last.ends and last.learned == []


@pytest.mark.parametrize("said", [
    {"resultType": "task", "taskId": 5}, {"resultType": "task", "taskId": "t" * 1000}, {"resultType": "task"},
    {"resultType": "input_required"}, {"resultType": "complete", "taskId": "t"}, {},
])  # fmt: skip
def test_odd_results_teach_nothing(said: dict[str, Any]) -> None:
    reading = streaming(call(1, "tools/call", name="a"), b"a", capabilities=TASKS)
    assert reading.event(event(result(1, **said))) is not None and reading.learned == []


def test_a_safe_request_goes_on_elsewhere() -> None:
    reading = streaming(call("r", "resources/read", uri="a:1"), b"a:1")
    progress = [event(told("notifications/progress", progressToken=1, progress=value)) for value in (1, 2)]
    assert reading.event(progress[0]) is not None and not reading.complete()
    again = reading.resume(None)
    assert again is not None and again[0].method == b"POST" and orjson.loads(again[1])["id"] == "r"
    assert reading.event(progress[0]) is None and reading.event(progress[1]) is not None
    assert said(reading.resume_answered(json(), orjson.dumps(result("r", resultType="complete"))))
    assert reading.complete() and reading.resume_answered(json(500), b"") is None


def test_an_unsafe_one_fails_as_unknown() -> None:
    reading = streaming(call(9, "tools/call", name="pay"), b"pay")
    note = event(told("notifications/message", data="x"))
    assert reading.event(note) == note
    assert reading.resume(None) is None
    words = reading.last_words(begun=True)
    assert words.clean and said(words.body)[0]["id"] == 9
    assert orjson.loads(reading.last_words(begun=False).body)["error"]["data"] == {"outcome": "unknown"}


def test_trusted_annotations_are_of_the_route() -> None:
    protocol = Mcp(trust_annotations=True)
    listing, _ = ask(protocol, Memory(), modern(call(1, "tools/list")))
    assert listing.wants_answer
    listing.whole_answer(orjson.dumps(result(1, tools=[{"name": "look", "annotations": {"readOnlyHint": True}}])))
    assert ask(protocol, Memory(), modern(call(2, "tools/call", name="look"), b"look"))[0].safe
    assert not ask(Mcp(), Memory(), modern(call(2, "tools/call", name="look"), b"look"))[0].safe


def test_a_notification_is_taken_and_done_with() -> None:
    reading, _ = ask(Mcp(), Memory(), modern(told("notifications/cancelled", requestId=1)))
    assert reading.safe and reading.complete() and reading.keys == ()


def test_refusals_speak_json_rpc() -> None:
    answer = streaming(call(4, "tools/list")).refusal(Refusal(429, "too_many", "slower", retry_after=3))
    assert answer is not None and (answer[0].status, orjson.loads(answer[1])["id"]) == (429, 4)
