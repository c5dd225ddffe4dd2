"""In which form the answer of a node is read."""

import pytest

from sbc.model.http import Response
from sbc.runtime.http.answer import Answer, Form


def form(content_type: bytes, coding: bytes | None = None, status: int = 200) -> Form:
    answer = Answer()
    fields = [(b"content-type", content_type)] + ([(b"content-encoding", coding)] if coding else [])
    answer.begin(Response(status, fields), True, False)
    return answer.form


@pytest.mark.parametrize("kind", [
    b"text/event-stream", b"text/event-stream;charset=utf-8", b"text/event-stream ; charset=utf-8",
    b"Text/Event-Stream", b"TEXT/EVENT-STREAM; Charset=UTF-8"])
def test_a_stream_of_events_is_known_by_its_type_however_it_is_written(kind: bytes) -> None:
    """RFC 9110 section 8.3.1: type and subtype are case-insensitive."""
    assert form(kind) is Form.EVENTS
    assert form(kind, b"Identity") is Form.EVENTS


def test_what_is_none() -> None:
    assert form(b"text/event-streams") is Form.PLAIN
    assert form(b"text/plain") is Form.PLAIN
    assert form(b"text/event-stream", b"gzip") is Form.PLAIN
    assert form(b"text/event-stream", status=500) is Form.PLAIN
