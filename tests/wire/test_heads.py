"""Heads of HTTP/1.x, taken apart: the C twins and what they stand for say the same of whatever comes."""

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.wire import heads, request_head

COMPILED = Path(request_head.__file__).suffix == ".so"
twins: ModuleType | None = importlib.import_module("sbc.wire._heads") if COMPILED else None

Line = Callable[[bytes], Any]
FIELDS = b"Host: a\r\nX-Y:\t b c \t\r\nempty:\r\n"
ODD = [b"\r\n\r\n", b" ", b"\t", b":", b"\r", b"\n", b"\0", b"\x7f", b"\xff", b"\r\n", b"A", b"-", b"_", b"HTTP/1.1",
       b"HTTP/1.2", b"/"]  # fmt: skip


def both(name: str) -> list[Line]:
    return [getattr(module, name) for module in (heads, twins) if module is not None]


def test_fields() -> None:
    for fields_of in both("fields_of"):
        head: Any = fields_of
        assert head(FIELDS + b"\r\n", 0) == [(b"host", b"a"), (b"x-y", b"b c"), (b"empty", b"")]
        assert head(b"\r\n", 0) == []


@pytest.mark.parametrize("line", [
    b"a", b": b", b"a : b", b"a\t: b", b" a: b", b"a: b\r\n c", b"a: b\r\n\tc", b"a: b\nc: d", b"a: b\rc", b"a: \0",
    b"a: \x7f", b"a: \x1f", b"\xe9: b", b"a(: b", b"a: b\r\r\nc: d", b"a: b\r\n\r\nc: d",
])  # fmt: skip
def test_lines_that_are_no_fields(line: bytes) -> None:
    for fields_of in both("fields_of"):
        head: Any = fields_of
        assert head(b"x: y\r\n" + line + b"\r\n\r\n", 0) is None


@pytest.mark.parametrize("line", [b"x:" + b" " * 30_000 + b"\0", b"x" * 30_000, b"x: " + b"\t" * 30_000])
def test_long_lines_that_are_no_fields_take_no_time(line: bytes) -> None:
    for fields_of in both("fields_of"):
        head: Any = fields_of
        began = time.process_time()
        assert head(line + b"\r\r\n\r\n", 0) is None
        assert time.process_time() - began < 0.1


def test_first_lines() -> None:
    for request_line in both("request_line"):
        assert request_line(b"GET /a?b HTTP/1.1\r\n\r\n") == (b"GET", b"/a?b", True, 19)
        assert request_line(b"M-SEARCH * HTTP/1.0\r\n\r\n") == (b"M-SEARCH", b"*", False, 21)
        for bad in (b"get / HTTP/1.1", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / HTTP/2.0", b"GET /",
                    b" GET / HTTP/1.1", b"GET /a b HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET / http/1.1",
                    b"G" * 32 + b" / HTTP/1.1"):  # fmt: skip
            assert request_line(bad + b"\r\n\r\n") is None
    for status_line in both("status_line"):
        assert status_line(b"HTTP/1.1 200 OK\r\n\r\n") == (200, True, 17)
        assert status_line(b"HTTP/1.0 404\r\n\r\n") == (404, False, 14)
        for bad in (b"HTTP/1.1 20 OK", b"HTTP/1.1  200", b"HTTP/1.1 2000", b"HTTP/2.0 200", b"HTTP/1.1 200 \0",
                    b"HTTP/1.1\t200"):  # fmt: skip
            assert status_line(bad + b"\r\n\r\n") is None


@pytest.mark.skipif(twins is None, reason="there are no compiled twins")
@given(st.lists(st.one_of(st.sampled_from(ODD), st.binary(max_size=3), st.just(b"name: value\r\n")), max_size=8))
def test_the_twins_agree(parts: list[bytes]) -> None:
    odd = b"".join(parts)
    assert twins is not None
    for head in (odd, b"GET " + odd, b"GET / HTTP/1." + odd + b"\r\n", b"GET /" + odd + b" HTTP/1.1\r\n"):
        assert twins.request_line(head) == heads.request_line(head)
    for head in (odd, b"HTTP/1.1 200" + odd, b"HTTP/1." + odd + b"200\r\n", b"HTTP/1.1 200 " + odd + b"\r\n"):
        assert twins.status_line(head) == heads.status_line(head)
    for head in (odd, odd + b"\r\n\r\n" + odd):
        assert [twins.head_end(head, at) for at in (0, 1)] == [heads.head_end(head, at) for at in (0, 1)]
    for head in (odd, odd + b"\r\n", b"a: " + odd + b"\r\n\r\n", b"a: b\r\n" + odd + b": c\r\n\r\n"):
        assert twins.fields_of(head, 0) == heads.fields_of(head, 0)


def test_a_bare_line_feed() -> None:
    assert all(heads.bare_feed(*pieces) for pieces in ((b"", b"a\nb"), (b"a", b"\nb"), (b"", b"a\r\nb\n")))
    assert not any(heads.bare_feed(*pieces) for pieces in ((b"", b"a\r\nb"), (b"a\r", b"\nb"), (b"", b"a\r")))


def test_lines_that_come_again() -> None:
    """What is known of a line is known of that line alone: not of one that begins or ends like it, or says less."""
    odd = [b"x-y : 1", b"x-y: 1\0", b"x-y", b":"]
    lines = [b"X-Y: 1", b"x-y:1", *odd, *(b"x-y: %d" % number for number in range(3000))]
    for _ in range(2):
        for line in lines:
            said = [head(line + b"\r\n\r\n", 0) for head in both("fields_of")]
            assert said.count(said[0]) == len(said)
            assert said[0] == (None if line in odd else [(b"x-y", line.partition(b":")[2].strip())])
