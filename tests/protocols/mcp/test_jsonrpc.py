"""JSON-RPC: what is a message, and how the edge's own errors look."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.model.errors import Outcome, Refusal
from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.jsonrpc import Code, Kind, Malformed
from tests.protocols.mcp.shapes import event, json, result, sse


@pytest.mark.parametrize(("body", "kind", "identity"), [
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"}', Kind.REQUEST, 1),
    (b'{"jsonrpc":"2.0","id":"a","method":"ping","params":[1]}', Kind.REQUEST, "a"),
    (b'{"jsonrpc":"2.0","method":"x"}', Kind.NOTIFICATION, None),
    (b'{"jsonrpc":"2.0","id":7,"result":{}}', Kind.RESPONSE, 7),
    (b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}', Kind.RESPONSE, None),
])  # fmt: skip
def test_messages(body: bytes, kind: Kind, identity: object) -> None:
    messages, batch = jsonrpc.read(body)
    assert [(each.kind, each.id) for each in messages] == [(kind, identity)] and not batch


@pytest.mark.parametrize(("body", "code"), [
    (b"", Code.PARSE_ERROR), (b"{", Code.PARSE_ERROR), (b"[" * 5000, Code.PARSE_ERROR), (b"\xff", Code.PARSE_ERROR),
    (b"[]", Code.INVALID_REQUEST), (b"1", Code.INVALID_REQUEST), (b"{}", Code.INVALID_REQUEST),
    (b'{"id":null,"method":"x"}', Code.INVALID_REQUEST), (b'{"id":1.5,"method":"x"}', Code.INVALID_REQUEST),
    (b'{"id":true,"method":"x"}', Code.INVALID_REQUEST), (b'[{"method":"x"},2]', Code.INVALID_REQUEST),
    (b'{"id":123456789012345678901234567890,"method":"x"}', Code.INVALID_REQUEST), (None, Code.PARSE_ERROR),
    (b'{"method":"x","params":' + b"[" * 300 + b"]" * 300 + b"}", Code.INVALID_REQUEST),
])  # fmt: skip
def test_what_is_none(body: bytes | None, code: Code) -> None:
    with pytest.raises(Malformed) as raised:
        jsonrpc.read(body)
    assert raised.value.code is code


@given(st.binary(max_size=200))
def test_bad_bodies_are_ordinary(body: bytes) -> None:
    try:
        jsonrpc.read(body)
    except Malformed as malformed:
        assert malformed.detail
    jsonrpc.in_event(b"data: " + body + b"\n\n")


def test_answers_come_in_two_forms() -> None:
    events = b": ping\r\n\r\n" + b"id: 1\r\ndata: \r\n\r\n" + event(result(1, a=1)) + event(result(2))
    assert [each.id for each in jsonrpc.in_answer(sse(), events)] == [1, 2]
    assert [each.id for each in jsonrpc.in_answer(json(), b'{"jsonrpc":"2.0","id":3,"result":{}}')] == [3]
    assert jsonrpc.in_answer(json(), b"<html>") == []


def test_an_event_with_other_data_keeps_its_id_and_name() -> None:
    assert jsonrpc.with_data(b"id: 4\r\nevent: message\r\ndata: {}\r\n\r\n", [{"a": 1}]) == (
        b'id: 4\nevent: message\ndata: {"a":1}\n\n'
    )
    assert jsonrpc.with_data(b"data: []\n\n", [{"a": 1}, {"b": 2}]) == b'data: [{"a":1},{"b":2}]\n\n'


def test_a_refusal_has_the_id_of_its_request() -> None:
    refused = Refusal(503, "no_node", "nobody is there", retry_after=2.2)
    response, body = jsonrpc.refusal(refused, [5])
    assert response.status == 503 and response.length == len(body)
    assert (response.first(b"retry-after"), response.first(b"session-outcome")) == (b"3", b"not-sent")
    assert orjson.loads(body) == {"jsonrpc": "2.0", "id": 5, "error": {
        "code": Code.NOT_SENT, "message": "nobody is there", "data": {"outcome": "not-sent", "reason": "no_node"},
    }}  # fmt: skip


@pytest.mark.parametrize(("status", "outcome", "code"), [
    (404, Outcome.NOT_SENT, Code.INVALID_REQUEST), (429, Outcome.NOT_SENT, Code.NOT_SENT),
    (401, Outcome.NOT_SENT, Code.INVALID_REQUEST), (502, Outcome.UNKNOWN, Code.OUTCOME_UNKNOWN),
])  # fmt: skip
def test_refusals_say_whether_to_try_again(status: int, outcome: Outcome, code: Code) -> None:
    _, body = jsonrpc.refusal(Refusal(status, "c", "d", outcome=outcome), [])
    assert orjson.loads(body)["error"]["code"] == code and orjson.loads(body)["id"] is None


def test_a_batch_is_refused_as_one() -> None:
    _, body = jsonrpc.refusal(Refusal(503, "c", "d"), [1, "b"], batch=True)
    assert [each["id"] for each in orjson.loads(body)] == [1, "b"]
