"""Streams of events: who comes back to them, what is asked of the next node, what passes by."""

from typing import Any

import pytest

from sbc.model.http import Request, Response
from sbc.protocols.protocol import Conversation, Ids
from sbc.protocols.sse import Sse

SSE = Sse()
EVENT_SOURCE = [
    (b"accept", b"text/event-stream"), (b"cache-control", b"no-cache"), (b"accept-encoding", b"gzip, deflate, br"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
]  # fmt: skip
STREAM = Response(200, [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")])


def opened(*fields: tuple[bytes, bytes], method: bytes = b"GET") -> Any:
    return SSE.read(Request(method, b"/feed?room=4", b"edge.example", [*EVENT_SOURCE, *fields]), None)


def answered(reading: Any, response: Response) -> Response:
    answer: Response = reading.answered(response, bytes, Conversation())
    return answer


def test_a_stream_stays_and_waits_for_its_client() -> None:
    reading = opened()
    for _ in range(2):
        assert (reading.standing, reading.outlives, reading.begins) == (True, True, True)
        assert answered(reading, STREAM) is STREAM
    assert reading.events
    assert reading.ids is Ids.ADD
    assert reading.safe
    assert reading.after is None
    assert reading.complete()


def test_a_client_that_comes_back_says_where_it_was() -> None:
    assert opened((b"last-event-id", b"41")).after == "41"
    assert opened((b"last-event-id", "é".encode())).after == "é"
    assert opened((b"last-event-id", b"\xff")).after == "\N{REPLACEMENT CHARACTER}"
    assert opened((b"last-event-id", b"")).after is None
    assert opened((b"last-event-id", b"41"), method=b"POST").after is None


@pytest.mark.parametrize("response", [
    Response(200, [(b"content-type", b"application/json")]), Response(200, []), Response(204, []),
    Response(503, [(b"content-type", b"text/event-stream")]),
])  # fmt: skip
def test_what_is_no_stream_is_an_answer_like_another(response: Response) -> None:
    reading = opened()
    answered(reading, response)
    assert (reading.standing, reading.outlives) == (False, False)


def test_a_get_that_did_not_say_what_it_expects_may_be_answered_by_a_stream() -> None:
    reading: Any = SSE.read(Request(b"GET", b"/feed", b"edge", [(b"accept", b"*/*")]), None)
    assert (reading.standing, reading.outlives, reading.begins, reading.after) == (False, False, False, None)
    answered(reading, Response(200, [(b"content-type", b"Text/Event-Stream")]))
    assert (reading.standing, reading.outlives) == (True, True)


def test_the_answer_to_a_post_ends_with_its_client() -> None:
    reading = opened(method=b"POST")
    answered(reading, STREAM)
    assert (reading.standing, reading.outlives, reading.begins, reading.safe) == (False, False, False, False)
    assert reading.event(b"id: 1\ndata: x\n\n") == b"id: 1\ndata: x\n\n"
    assert reading.resume(b"1") is None
    assert reading.last_words(begun=True).clean is False


def test_nodes_are_asked_for_what_can_be_read() -> None:
    reading = opened()
    sent = reading.outgoing(reading.request, Conversation())
    assert [value for name, value in sent.fields if name == b"accept-encoding"] == [b"identity"]
    assert (b"accept", b"text/event-stream") in sent.fields
    assert (b"accept-encoding", b"gzip, deflate, br") in reading.request.fields


def test_the_next_node_goes_on_after_the_last_id_that_the_lost_one_gave() -> None:
    reading = opened((b"last-event-id", b"40"))
    event = b"id: 41\nevent: price\ndata: {\"id\": 7}\n\n"
    assert reading.event(event) is event
    request, body = reading.resume(b"41")
    assert body == b""
    assert (request.method, request.target) == (b"GET", b"/feed?room=4")
    assert [value for name, value in request.fields if name == b"last-event-id"] == [b"41"]
    assert (b"accept", b"text/event-stream") in request.fields
    assert reading.request.first(b"last-event-id") == b"40"


def test_a_stream_that_said_nothing_yet_is_asked_for_again_as_it_was() -> None:
    reading = opened((b"last-event-id", b"40"))
    reading.event(b": welcome\n\n")
    reading.event(b"retry: 2000\n\n")
    request, _ = reading.resume(None)
    assert request.first(b"last-event-id") == b"40"


@pytest.mark.parametrize("last_id", [None, b"", b"4\x011", b"4\x7f1"])
def test_without_an_id_that_can_be_asked_for_there_is_no_way_back(last_id: bytes | None) -> None:
    reading = opened()
    reading.event(b"data: 1\n\n")
    assert reading.resume(last_id) is None
