"""Opaque routes: the method is all that is known, and streams are not touched."""

import pytest

from sbc.model.http import Request
from sbc.protocols.opaque import Opaque

OPAQUE = Opaque()


@pytest.mark.parametrize(("method", "safe"), [
    (b"GET", True), (b"HEAD", True), (b"OPTIONS", True), (b"PUT", True), (b"DELETE", True), (b"POST", False),
    (b"PATCH", False), (b"PROPFIND", False),
])  # fmt: skip
def test_the_method_says_what_may_be_sent_twice(method: bytes, safe: bool) -> None:
    request = Request(method, b"/tutor", b"edge", [], bodied=method == b"POST")
    assert not OPAQUE.wants_body(request)
    assert OPAQUE.read(request, None).safe is safe


def test_answers_pass_as_they_are_and_cannot_be_resumed() -> None:
    reading = OPAQUE.read(Request(b"GET", b"/tutor", b"edge", [(b"accept", b"text/event-stream")]), None)
    assert not reading.events
    assert (list(reading.keys), reading.after) == ([], None)
    assert (reading.begins, reading.standing, reading.outlives) == (False, False, False)
    assert reading.resume(b"7") is None
    assert reading.last_words(begun=True).clean is False
    assert reading.last_words(begun=False).status == 502
    assert OPAQUE.turns
