"""Pages of other origins: what nodes allow them passes, and what they need of the edge goes with it."""

from sbc.model.http import Fields, Request, Response
from sbc.protocols.cors import PreflightReading, exposed, is_preflight
from sbc.protocols.protocol import Conversation

PAGE: Fields = [(b"origin", b"https://page.test"), (b"access-control-request-method", b"POST")]
ALLOWED: Fields = [(b"access-control-allow-origin", b"https://page.test")]


def preflight(asked: bytes | None) -> Request:
    more = [(b"access-control-request-headers", asked)] if asked is not None else []
    return Request(b"OPTIONS", b"/x", b"edge", PAGE + more)


def passed(asked: bytes | None, answer: Fields) -> tuple[Fields, Fields]:
    """What the node is asked, and what the page is told."""
    reading = PreflightReading(preflight(asked))
    sent = reading.outgoing(preflight(asked), Conversation())
    return sent.fields, reading.answered(Response(204, answer), lambda: b"", Conversation()).fields


def test_what_a_preflight_is() -> None:
    assert is_preflight(preflight(None))
    assert not is_preflight(Request(b"OPTIONS", b"*", b"edge", []))
    assert not is_preflight(Request(b"POST", b"/", b"edge", PAGE))


def test_one_that_asks_nothing_of_the_edge_passes_as_it_is() -> None:
    for asked in (None, b"content-type,x-chat"):
        sent, told = passed(asked, [*ALLOWED, (b"access-control-allow-headers", b"*")])
        assert sent == preflight(asked).fields and told == [*ALLOWED, (b"access-control-allow-headers", b"*")]


def test_fields_of_the_edge_are_allowed_where_the_node_allows_the_page() -> None:
    sent, told = passed(b"content-type, Session-Id,session-received", [
        (b"access-control-allow-headers", b"content-type"), *ALLOWED])
    assert sent == [*PAGE, (b"access-control-request-headers", b"content-type")]
    assert told == [*ALLOWED, (b"access-control-allow-headers", b"content-type, session-id, session-received")]
    sent, told = passed(b"session-id", ALLOWED)
    assert sent == PAGE and told == [*ALLOWED, (b"access-control-allow-headers", b"session-id")]


def test_where_it_allows_nothing_nothing_is_allowed() -> None:
    assert passed(b"session-id", [(b"x", b"y")])[1] == [(b"x", b"y")]


def test_what_the_edge_adds_may_be_read_where_the_answer_may() -> None:
    token: Fields = [(b"session-id", b"t")]
    assert exposed([(b"x", b"y")], token) == [(b"x", b"y"), *token]
    assert exposed(ALLOWED, []) == ALLOWED
    assert exposed(ALLOWED, token) == [*ALLOWED, (b"access-control-expose-headers", b"session-id"), *token]
    assert exposed([*ALLOWED, (b"access-control-expose-headers", b"x-sum")], token) == [
        *ALLOWED, (b"access-control-expose-headers", b"x-sum, session-id"), *token]
