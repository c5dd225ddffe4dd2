"""Request heads in any pieces: what they say, where they end, and what is read in two ways by others."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.model.errors import Refusal
from sbc.wire.request_head import RequestReader
from tests.transports.door import get


def read(wire: bytes, *cuts: int) -> tuple[RequestReader, bytes]:
    """A reader that has read one head, and what is behind it."""
    reader, edges = RequestReader(8192, 50), [0, *sorted(cuts), len(wire)]
    for start, stop in pairwise(edges):
        end = reader.read(wire[start:stop], 0)
        if end >= 0:
            return reader, wire[start + end :]
    raise AssertionError("not whole")


def refused(wire: bytes) -> int:
    with pytest.raises(Refusal) as caught:
        read(wire)
    return caught.value.status


WHOLE = get("/a?b", "X-One: 1\t", "Content-Length: 3", "Connection: close", method="POST")


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6), st.sampled_from([b"", b"abc", b"\r\n\r\n", b"abcGET /"]))
def test_in_any_pieces(cuts: list[int], behind: bytes) -> None:
    reader, rest = read(WHOLE + behind, *cuts)
    request = reader.request
    assert rest == (WHOLE + behind)[len(WHOLE):][:len(rest)]
    assert (request.method, request.target, request.authority) == (b"POST", b"/a?b", b"edge.test")
    assert request.fields == [(b"x-one", b"1"), (b"connection", b"close")]
    assert request.bodied and request.length == 3
    assert reader.octets == len(WHOLE) and not reader.persists and not reader.begun


def test_one_after_the_other() -> None:
    reader = RequestReader(8192, 50)
    second = get("/2", "Upgrade: h2c", "Connection: upgrade")
    wire = get("/1", "Content-Length: 2") + b"ab\r\n" + second + get("/3")
    at = reader.read(wire, 0)
    assert reader.request.target == b"/1"
    at = reader.read(wire, at + 2)  # old clients send an empty line behind a body
    assert reader.request.target == b"/2" and not reader.upgrade
    assert reader.read(wire, at) == len(wire)
    assert reader.request.target == b"/3"


@pytest.mark.parametrize(("lines", "version", "persists"), [
    ((), "1.1", True), (("Connection: close",), "1.1", False), (("Connection: a", "Connection: CLOSE"), "1.1", False),
    ((), "1.0", False), (("Connection: keep-alive",), "1.0", True), (("Connection: keep-alive, close",), "1.0", False),
])  # fmt: skip
def test_whether_the_connection_goes_on(lines: tuple[str, ...], version: str, persists: bool) -> None:
    assert read(get("/", *lines, version=version))[0].persists is persists


def test_what_is_a_websocket() -> None:
    both = ("Upgrade: foo, WebSocket", "Connection: keep-alive, Upgrade")
    assert read(get("/", *both))[0].upgrade
    assert not read(get("/", *both, version="1.0"))[0].upgrade  # RFC 9110 section 7.8
    assert not read(get("/", both[0]))[0].upgrade
    assert not read(get("/", "Upgrade: h2c", both[1]))[0].upgrade


def test_an_expectation() -> None:
    reader, _ = read(get("/", "Expect: 100-Continue", "Content-Length: 1", method="PUT"))
    assert reader.expects and reader.request.first(b"expect") is None
    assert not read(get("/", "Expect: 100-continue"))[0].expects
    assert not read(get("/", "Expect: 100-continue", "Content-Length: 1", version="1.0"))[0].expects
    assert refused(get("/", "Expect: x")) == 417


def test_no_host_in_http_1_0() -> None:
    assert read(get("/", version="1.0", host=None))[0].request.authority == b""
    assert read(get("/", "Connection: keep-alive", version="1.0", host=None))[0].persists
    assert refused(get("/", host=None)) == 400


@pytest.mark.parametrize("host", ["a", "a:1", "a.b-c.d:65535", "[::1]", "[::1]:80", "127.0.0.1:8", "a_b", "%41", "a:"])
def test_proper_hosts(host: str) -> None:
    assert read(get("/", host=host))[0].request.authority == host.encode()


@pytest.mark.parametrize("host", ["", "a b", "a,b", "a@b", "a/b", "a:b", "a:123456", "[::1", "::1", "a?b", "a#b", "%4",
                                  "a\\b", "\xe4", "[x]", "<a>", 'a"b', "x" * 300])  # fmt: skip
def test_improper_hosts(host: str) -> None:
    assert refused(get("/", host=host)) == 400


def test_limits() -> None:
    assert refused(get("/" + "x" * 9000)) == 414
    assert refused(get("/", "X: " + "x" * 9000)) == 431
    assert refused(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2000) == 431
    assert refused(get("/", *["X: y"] * 60)) == 431
    assert refused(b"GET /" + b"x" * 9000) in (414, 431)


@pytest.mark.parametrize(("wire", "status"), [
    (get("a:1", method="CONNECT"), 405), (get("/", method="BREW"), 501), (get("/", version="2.0"), 505),
    (get("*"), 400), (get("http://edge.test:80/"), 400), (get("https://other.test/"), 400), (b"\r\n\r\n" + get(), 400),
    (get("/", "Transfer-Encoding: chunked", version="1.0"), 400), (get("/", "Transfer-Encoding: gzip, chunked"), 501),
    (get("/").replace(b"GET ", b"GET  "), 400), (b"\n" + get("/"), 400), (get("/").replace(b"HTTP", b"RTSP"), 400),
])  # fmt: skip
def test_what_is_refused(wire: bytes, status: int) -> None:
    assert refused(wire) == status


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (1, 2), (1, 3), (2, 3)])
def test_an_empty_line_before_a_head_in_any_pieces(cuts: tuple[int, ...]) -> None:
    reader, rest = read(b"\r\n" + WHOLE, *cuts)
    assert reader.request.method == b"POST" and rest == b""


@pytest.mark.parametrize("step", [1, 100])
def test_one_empty_line_is_enough(step: int) -> None:
    reader, wire = RequestReader(8192, 50), b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    with pytest.raises(Refusal):
        for at in range(0, len(wire), step):
            reader.read(wire[at : at + step], 0)


def test_an_empty_line_is_no_beginning() -> None:
    reader = RequestReader(8192, 50)
    for piece in (b"\r", b"\n"):
        assert reader.read(piece, 0) == -1 and not reader.begun
    reader.read(b"G", 0)
    assert reader.begun
