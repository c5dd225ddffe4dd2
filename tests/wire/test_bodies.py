"""Bodies of requests in any pieces: what they hold, where they end, and what is no proper chunk."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.model.errors import Refusal
from sbc.wire.bodies import AT_ONCE, Chunks, Measured
from sbc.wire.http1 import chunk, last_chunk

NEXT = b"GET / HTTP/1.1\r\n"


def fed(body: Chunks | Measured, wire: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """What a body holds that comes in these pieces, and what is behind it."""
    got, edges = b"", [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    for start, stop in pairwise(edges):
        if body.whole:
            return got, wire[start:]
        piece, end = body.read(wire[:stop], start)
        got += piece
        if body.whole:
            return got, wire[end:]
        assert end == stop
    return got, b""


CUTS = st.lists(st.integers(0, 400), max_size=8)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.booleans(), CUTS)
def test_chunks_in_any_pieces(parts: list[bytes], trailers: bool, cuts: list[int]) -> None:
    fields = [(b"x-sum", b"1"), (b"x-two", b"")] if trailers else []
    body = Chunks()
    wire = b"".join(chunk(part) for part in parts) + last_chunk(fields)
    assert fed(body, wire + NEXT, cuts) == (b"".join(parts), NEXT)
    assert body.trailers == fields


@given(st.binary(min_size=1, max_size=100), CUTS)
def test_a_told_length_in_any_pieces(content: bytes, cuts: list[int]) -> None:
    body = Measured(len(content))
    assert fed(body, content + NEXT, cuts) == (content, NEXT)
    assert body.trailers == []


def test_of_many_small_chunks_some_are_read_at_a_time() -> None:
    body, wire, at, got, reads = Chunks(), chunk(b"x") * 1000 + last_chunk([]) + NEXT, 0, b"", 0
    while not body.whole:
        piece, at = body.read(wire, at)
        got, reads = got + piece, reads + 1
        assert len(piece) <= AT_ONCE
    assert got == b"x" * 1000 and wire[at:] == NEXT and reads == 4


def test_extensions_are_dropped() -> None:
    body = Chunks()
    assert fed(body, b'3;a=b; c="d"\r\nabc\r\n00;x\r\n\r\n', []) == (b"abc", b"")


def test_how_much_is_left() -> None:
    body = Measured(10)
    body.read(b"abc", 0)
    assert body.ends_within(7) and not body.ends_within(6)
    assert not Chunks().ends_within(10**9)


def test_a_long_trailer_that_is_none_takes_no_time() -> None:
    began = time.process_time()
    with pytest.raises(Refusal):
        Chunks().read(b"0\r\nx:" + b" " * 8000 + b"\0\r\n\r\n", 0)
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("wire", [
    b"\r\n", b"g\r\n", b"0x1\r\n", b"+1\r\n", b"1 \r\n", b" 1\r\n", b"1\n", b"1\r", b"1;\0\r\n", b"f" * 16 + b"\r\n",
    b"1\r\nab\r\n", b"1\r\na\n", b"1\r\na0\r\n", b"0\r\n\n", b"0\r\nx\r\n", b"0\r\n: x\r\n", b"0\r\nx : y\r\n",
    b"0\r\n x: y\r\n", b"0\r\nhost: y\r\n", b"0\r\nx: a\rb\r\n", b"1;" + b"x" * 300, b"0\r\nx: " + b"x" * 9000,
    b"0\r\n" + b"x: y\r\n" * 40, b"1;%b\r\na\r\n" % (b"x" * 200) * 50,
])  # fmt: skip
@pytest.mark.parametrize("step", [1, 10_000])
def test_what_is_no_proper_chunk(wire: bytes, step: int) -> None:
    body = Chunks()
    with pytest.raises(Refusal) as refused:
        for at in range(0, len(wire), step):
            body.read(wire[at : at + step], 0)
        body.read(b"\r\n\r\n0\r\n\r\n", 0)
    assert refused.value.status == 400
