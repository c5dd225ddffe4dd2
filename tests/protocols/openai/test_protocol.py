"""The OpenAI API through the edge: ids are learned, a cut stream never looks whole, background responses go on."""

from typing import Any

import orjson
import pytest

from sbc.model.errors import Outcome, Refusal
from sbc.model.http import Fields, Request, Response
from sbc.protocols.events import event_data, event_name, make_event
from sbc.protocols.openai import OpenAi
from sbc.protocols.protocol import Conversation, Ids, Key

OPENAI = OpenAi()
CHAT = b"/v1/chat/completions"
RESPONSES = b"/v1/responses"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
FIELDS: Fields = [
    (b"authorization", b"Bearer sk-1"), (b"content-type", b"application/json"), (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate, br"), (b"user-agent", b"AsyncOpenAI/Python 3.54.0"),
]  # fmt: skip

CHUNK = (
    b'data: {"id":"chatcmpl-C1","object":"chat.completion.chunk","created":1790000000,"model":"m","choices":'
    b'[{"index":0,"delta":{"role":"assistant","content":"Hi"},"logprobs":null,"finish_reason":null}]}\n\n'
)
STOP = (
    b'data: {"id":"chatcmpl-C1","object":"chat.completion.chunk","created":1790000000,"model":"m","choices":'
    b'[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}\n\n'
)
DONE = b"data: [DONE]\n\n"


def spoken(kind: str, number: int, **more: Any) -> bytes:
    return make_event(orjson.dumps({"type": kind, "sequence_number": number, **more}), kind.encode())


def response_of(status: str) -> dict[str, Any]:
    return {"id": "resp_68a1", "object": "response", "created_at": 1790000000, "status": status, "model": "m",
            "output": [], "error": None, "previous_response_id": None, "store": True}  # fmt: skip


CREATED = spoken("response.created", 0, response=response_of("in_progress"))
DELTA = spoken("response.output_text.delta", 4, item_id="msg_1", output_index=0, content_index=0, delta="Hi")


def post(target: bytes, **body: Any) -> Any:
    octets = orjson.dumps(body)
    request = Request(b"POST", target, b"inference.example", list(FIELDS), bodied=True, length=len(octets))
    assert OPENAI.wants_body(request)
    return OPENAI.read(request, octets)


def get(target: bytes, method: bytes = b"GET") -> Any:
    request = Request(method, target, b"inference.example", list(FIELDS))
    assert not OPENAI.wants_body(request)
    return OPENAI.read(request, None)


def given(reading: Any, *events: bytes) -> Any:
    for event in events:
        assert reading.event(event) is event
    return reading


def test_a_chat_is_known_by_how_it_began() -> None:
    reading = post(CHAT, **HELLO)
    assert [key.kind for key in reading.keys] == ["prefix"]
    assert reading.begins
    assert not reading.wants_answer
    assert reading.ids is Ids.KEEP
    assert (reading.standing, reading.outlives, reading.ends, reading.needs_session) == (False, False, False, False)
    given(reading, CHUNK, STOP, DONE)
    assert reading.learned == []


def test_what_belongs_nowhere_stands_alone() -> None:
    for reading in (get(b"/v1/models"), post(b"/v1/completions", prompt="x"), post(CHAT, messages=7)):
        assert list(reading.keys) == []
        assert not reading.begins
    broken = OPENAI.read(Request(b"POST", CHAT, b"i", FIELDS, bodied=True), b'{"messages": [')
    assert (list(broken.keys), broken.begins, broken.safe) == ([], False, False)


@pytest.mark.parametrize(("events", "whole"), [
    ((), False), ((CHUNK,), False), ((CHUNK, STOP), False), ((CHUNK, STOP, DONE), True),
    ((CHUNK, STOP, DONE, b": bye\n\n"), True), ((CHUNK, b": ping\n\n"), False), ((CHUNK, b"data:[DONE]\r\n\r\n"), True),
    ((CHUNK, b'data: {"error":{"message":"CUDA error","type":"server_error","code":500}}\n\n'), True),
    ((CHUNK, b'data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n'), False), ((b": ping\n\n",), False),
    ((CHUNK, b'data: {"type":"response.completed"}\n\n'), False),
])  # fmt: skip
def test_a_chat_ends_with_done(events: tuple[bytes, ...], whole: bool) -> None:
    for target in (CHAT, b"/v1/completions"):
        assert given(post(target, **HELLO), *events).complete() is whole


@pytest.mark.parametrize(("last", "whole"), [
    (spoken("response.completed", 9, response=response_of("completed")), True),
    (spoken("response.failed", 9, response=response_of("failed")), True),
    (spoken("response.incomplete", 9, response=response_of("incomplete")), True),
    (spoken("error", 9, code="server_error", message="overloaded", param=None), True), (DONE, True), (DELTA, False),
    (spoken("response.output_text.done", 8, text="response.completed"), False), (b"data: {\n\n", False),
    (make_event(b'{"type":["error"]}'), False),
])  # fmt: skip
def test_a_response_ends_with_its_last_event(last: bytes, whole: bool) -> None:
    assert given(post(RESPONSES, model="m", input="hi", stream=True), CREATED, DELTA, last).complete() is whole


def test_the_id_of_a_response_is_learned_from_its_stream() -> None:
    reading = given(post(RESPONSES, model="m", input="hi", stream=True), CREATED)
    assert reading.learned == [Key("response", "resp_68a1")]
    reading.learned = []
    given(reading, DELTA, spoken("response.completed", 9, response=response_of("completed")))
    assert reading.learned == []
    follow = post(RESPONSES, model="m", input="go on", previous_response_id="resp_68a1")
    assert follow.keys == [Key("response", "resp_68a1")]


def test_the_id_of_a_response_is_learned_from_a_whole_answer() -> None:
    reading = post(RESPONSES, model="m", input="hi")
    assert reading.wants_answer
    answer = orjson.dumps(response_of("completed"))
    assert reading.whole_answer(answer) is answer
    assert reading.learned == [Key("response", "resp_68a1")]


@pytest.mark.parametrize("answer", [
    b"", b"not JSON", b"[]", b'{"error":{"message":"no such model"}}', b'{"id":"x","object":"list"}',
])  # fmt: skip
def test_other_answers_teach_nothing(answer: bytes) -> None:
    reading = post(RESPONSES, model="m", input="hi")
    assert reading.whole_answer(answer) == answer
    assert reading.learned == []


def test_what_is_not_stored_has_no_id_to_come_back_to() -> None:
    reading = given(post(RESPONSES, model="m", input="hi", store=False, stream=True), CREATED)
    assert not reading.wants_answer
    assert reading.learned == []
    assert reading.begins


def test_a_conversation_is_known_from_its_creation() -> None:
    reading: Any = OPENAI.read(Request(b"POST", b"/v1/conversations", b"i", FIELDS, bodied=True), None)
    assert (list(reading.keys), reading.begins, reading.wants_answer) == ([], True, True)
    reading.whole_answer(b'{"id":"conv_1","object":"conversation","created_at":1790000000,"metadata":{}}')
    assert reading.learned == [Key("conversation", "conv_1")]
    listed = get(b"/v1/conversations/conv_1/items")
    assert (listed.keys, listed.begins) == ([Key("conversation", "conv_1")], False)


def test_stored_responses_are_asked_of_the_node_that_has_them() -> None:
    for reading in (get(RESPONSES + b"/resp_1"), get(RESPONSES + b"/resp_1", b"DELETE")):
        assert (reading.keys, reading.begins, reading.safe) == ([Key("response", "resp_1")], False, True)


def test_only_what_leaves_nothing_behind_is_safe() -> None:
    assert not post(CHAT, **HELLO).safe
    assert post(CHAT, **HELLO, store=False).safe
    assert not post(RESPONSES, model="m", input="hi", store=False, tools=[{"type": "web_search"}]).safe


def test_nodes_are_asked_for_what_can_be_read() -> None:
    reading = post(CHAT, **HELLO)
    sent = reading.outgoing(reading.request, Conversation())
    assert [value for name, value in sent.fields if name == b"accept-encoding"] == [b"identity"]


def test_a_background_response_goes_on_where_it_was() -> None:
    reading = post(RESPONSES + b"?api-version=v1&stream=1", model="m", input="hi", stream=True, background=True)
    assert reading.resume(None) is None
    given(reading, CREATED, DELTA, b": ping\n\n")
    request, body = reading.resume(None)
    assert body == b""
    assert (request.method, request.bodied, request.length) == (b"GET", False, None)
    assert request.target == b"/v1/responses/resp_68a1?api-version=v1&stream=true&starting_after=4"
    assert [name for name, _ in request.fields] == [b"authorization", b"accept", b"accept-encoding", b"user-agent"]
    given(reading, spoken("response.completed", 5, response=response_of("completed")))
    assert reading.complete()


def test_a_stored_stream_goes_on_where_it_was() -> None:
    reading = given(get(RESPONSES + b"/resp_1?stream=true&starting_after=2&include_obfuscation=false"), DELTA)
    request, _ = reading.resume(None)
    assert request.target == RESPONSES + b"/resp_1?include_obfuscation=false&stream=true&starting_after=4"


@pytest.mark.parametrize("body", [
    {"stream": True}, {"stream": True, "background": False}, {"stream": True, "background": True, "store": False},
])  # fmt: skip
def test_other_responses_cannot_go_on(body: dict[str, Any]) -> None:
    assert given(post(RESPONSES, model="m", input="hi", **body), CREATED, DELTA).resume(None) is None
    assert given(post(CHAT, **{**HELLO, **body}), CHUNK).resume(None) is None


@pytest.mark.parametrize("last", [
    spoken("response.created", 0, response={"id": "../../admin?x=1"}), make_event(b'{"sequence_number": true}'),
    make_event(b'{"sequence_number": -1}'), make_event(b'{"sequence_number": "4"}'), DONE,
])  # fmt: skip
def test_a_node_cannot_lead_the_edge_astray(last: bytes) -> None:
    events = (last,) if b"admin" in last else (CREATED, last)
    reading = given(post(RESPONSES, model="m", input="hi", stream=True, background=True), *events)
    assert reading.resume(None) is None


def test_an_unknown_outcome_is_an_error_that_clients_do_not_answer_by_asking_again() -> None:
    words = post(CHAT, **HELLO).last_words(begun=False)
    error = orjson.loads(words.body)["error"]
    assert (words.status, words.clean, words.content_type) == (502, True, b"application/json")
    assert words.fields == ((b"x-should-retry", b"false"),)
    assert (error["type"], error["code"], error["param"]) == ("server_error", "outcome_unknown", None)
    assert "may have acted" in error["message"]


def test_a_chat_that_was_cut_off_says_so() -> None:
    reading = given(post(CHAT, **HELLO), CHUNK)
    words = reading.last_words(begun=True)
    assert not words.clean
    assert event_name(words.body) == b""
    assert orjson.loads(event_data(words.body) or b"")["error"]["code"] == "outcome_unknown"


def test_a_response_that_was_cut_off_says_so_in_its_own_words() -> None:
    words = given(post(RESPONSES, model="m", input="hi", stream=True), CREATED, DELTA).last_words(begun=True)
    told = orjson.loads(event_data(words.body) or b"")
    assert not words.clean
    assert event_name(words.body) == b"error"
    assert (told["type"], told["code"], told["param"], told["sequence_number"]) == ("error", "outcome_unknown", None, 5)
    assert told["error"]["message"] == told["message"]


@pytest.mark.parametrize(("refused", "kind"), [
    (Refusal(503, "no_node", "no node can take the session now", retry_after=5), "server_error"),
    (Refusal(429, "quota", "too many sessions"), "rate_limit_error"),
    (Refusal(413, "body_too_large", "at most 1 byte"), "invalid_request_error"),
])  # fmt: skip
def test_refusals_are_errors_of_the_api(refused: Refusal, kind: str) -> None:
    response, body = post(CHAT, **HELLO).refusal(refused)
    assert response == Response(refused.status, [(b"content-type", b"application/json")], len(body))
    assert orjson.loads(body) == {
        "error": {"message": refused.detail, "type": kind, "param": None, "code": refused.code}}  # fmt: skip


def test_a_refusal_after_a_node_was_reached_is_not_to_be_tried_again() -> None:
    refused = Refusal(504, "ceiling", "no answer in 2 s", outcome=Outcome.UNKNOWN)
    response, _ = post(CHAT, **HELLO).refusal(refused)
    assert response.first(b"x-should-retry") == b"false"
