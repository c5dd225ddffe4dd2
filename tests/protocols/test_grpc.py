"""gRPC calls: how one ends that cannot go on, and where it is cut instead."""

import pytest

from sbc.model.errors import Refusal
from sbc.model.http import Request, Response
from sbc.protocols.a2a import A2A
from sbc.protocols.grpc import GrpcReading, is_grpc
from sbc.protocols.opaque import Opaque
from sbc.protocols.protocol import Conversation, Protocol, Reading

GRPC = [(b"content-type", b"application/grpc")]


def call(protocol: Protocol, version: str = "2", kind: bytes = b"application/grpc+proto") -> Reading:
    request = Request(b"POST", b"/t.T/Echo", b"edge", [(b"content-type", kind)], bodied=True, version=version)
    assert not protocol.wants_body(request)
    return protocol.read(request, None)


def begun(reading: Reading, response: Response) -> Reading:
    reading.answered(response, lambda: b"", Conversation())
    return reading


@pytest.mark.parametrize(("kind", "known"), [
    (b"application/grpc", True), (b"Application/gRPC+proto", True), (b"application/grpc ; x=y", True),
    (b"application/grpc-web", False), (b"application/grpc-web+proto", False),
    (b"application/json", False), (None, False),
])  # fmt: skip
def test_the_content_type_tells(kind: bytes | None, known: bool) -> None:
    assert is_grpc(kind) is known


@pytest.mark.parametrize("protocol", [Opaque(), A2A()])
def test_a_call_passes_as_it_is_and_is_never_made_twice(protocol: Protocol) -> None:
    reading = call(protocol)
    assert isinstance(reading, GrpcReading) and not reading.events and not reading.safe and reading.endless
    assert not reading.resumable(None, elsewhere=False)
    assert not isinstance(call(protocol, kind=b"text/plain"), GrpcReading)


def test_a_call_without_an_answer_gets_one_of_trailers_alone() -> None:
    words = call(Opaque()).last_words(begun=False)
    assert (words.status, words.content_type, words.body, words.clean) == (200, b"application/grpc", b"", True)
    assert dict(words.fields)[b"grpc-status"] == b"14" and words.trailers == ()


def test_an_answer_that_has_begun_ends_with_a_status() -> None:
    words = begun(call(Opaque(), "3"), Response(200, GRPC)).last_words(begun=True)
    assert words.clean and words.body == b"" and words.trailers == (
        (b"grpc-status", b"14"), (b"grpc-message", b"the agent was lost; the answer is incomplete"))


@pytest.mark.parametrize(("version", "response"), [
    ("1.1", Response(200, GRPC)), ("1.0", Response(200, GRPC)), ("2", Response(200, GRPC, 5)),
    ("2", Response(200, [(b"content-type", b"text/html")])),
])  # fmt: skip
def test_what_might_be_taken_for_complete_is_cut(version: str, response: Response) -> None:
    assert not begun(call(Opaque(), version), response).last_words(begun=True).clean


def test_refusals() -> None:
    told = call(Opaque()).refusal(Refusal(429, "x", "50 % of größe"))
    assert told is not None
    response, body = told
    assert (response.status, body) == (200, b"")
    assert response.first(b"grpc-status") == b"8" and response.first(b"grpc-message") == b"50 %25 of gr%C3%B6%C3%9Fe"
    assert call(Opaque(), "1.1").refusal(Refusal(429, "x", "y")) is None
    assert call(Opaque(), "1.1").last_words(begun=False).status == 502
