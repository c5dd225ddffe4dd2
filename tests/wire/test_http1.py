"""HTTP/1.1 as it is written: heads, their framing, and what can never get out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.model.http import Request, Response
from sbc.wire.http1 import Framing, framing_of, interim_head, last_chunk, request_head, response_head


def request(**changes: object) -> Request:
    return Request(**{"method": b"GET", "target": b"/", "authority": b"a", "fields": []} | changes)  # type: ignore[arg-type]


def test_request_heads() -> None:
    assert request_head(request(fields=[(b"x", b"y")])) == b"GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n"
    assert b"content-length: 0\r\n" in request_head(request(length=0))
    assert b"content-length: 0\r\n" in request_head(request(method=b"POST"))
    assert b"content-length: 7\r\n" in request_head(request(bodied=True, length=7))
    assert b"transfer-encoding: chunked\r\n" in request_head(request(bodied=True))


@pytest.mark.parametrize("changes", [{"target": b"/\r\nx: y"}, {"authority": b"a\nb"}, {"method": b"GET\r"}])
def test_no_line_break_in_a_request_line(changes: dict[str, bytes]) -> None:
    with pytest.raises(ValueError):
        request_head(request(**changes))


@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=4))
def test_fields_stay_in_their_lines(fields: list[tuple[bytes, bytes]]) -> None:
    for head in (interim_head(103, fields), request_head(request(fields=fields)), last_chunk(fields)):
        assert head.count(b"\r\n\r\n") == 1 and head.endswith(b"\r\n\r\n")
        lines = head[:-4].split(b"\r\n")
        assert len(lines) <= len(fields) + 2
        assert not any(byte in line for line in lines for byte in (b"\r", b"\n", b"\0"))


@pytest.mark.parametrize(("status", "length", "end", "to_head", "old", "framing"), [
    (200, None, False, False, False, Framing.CHUNKED), (200, None, False, False, True, Framing.CLOSE),
    (200, 5, False, False, False, Framing.LENGTH), (200, None, True, False, False, Framing.LENGTH),
    (200, 5, False, True, False, Framing.NONE), (204, None, False, False, False, Framing.NONE),
    (304, 5, True, False, False, Framing.NONE),
])  # fmt: skip
def test_framing(status: int, length: int | None, end: bool, to_head: bool, old: bool, framing: Framing) -> None:
    assert framing_of(Response(status, [], length), end=end, to_head=to_head, old=old) is framing


@pytest.mark.parametrize(("status", "length", "framing", "end", "line"), [
    (200, None, Framing.CHUNKED, False, b"transfer-encoding: chunked\r\n"), (200, None, Framing.CLOSE, False, b""),
    (200, 5, Framing.LENGTH, False, b"content-length: 5\r\n"),
    (200, None, Framing.LENGTH, True, b"content-length: 0\r\n"),
    (200, 5, Framing.NONE, True, b"content-length: 5\r\n"), (304, None, Framing.NONE, True, b""),
    (204, 5, Framing.NONE, True, b""),
])  # fmt: skip
def test_response_heads(status: int, length: int | None, framing: Framing, end: bool, line: bytes) -> None:
    response = Response(status, [(b"a", b"b")], length)
    head = response_head(response, framing, end=end, connection=b"connection: close\r\n")
    first, _, rest = head.partition(b"\r\n")
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert rest == b"a: b\r\n" + line + b"connection: close\r\n\r\n"


def test_a_status_without_a_name() -> None:
    assert interim_head(199, []) == b"HTTP/1.1 199 \r\n\r\n"
