"""Answers in chunks: the same whatever the cut of the reads, and whether the parser sees a chunk or not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbc.nodes.answer import AnswerReader

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"data: x\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def begun() -> AnswerReader:
    """An answer whose head and first chunk are here."""
    reader = AnswerReader()
    reader.read(HEAD + chunk(EVENT))
    assert not reader.fault and reader.take_body() == EVENT
    return reader


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=12), st.data())
def test_the_cut_of_the_reads_does_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    stream = HEAD + b"".join(chunk(piece) for piece in pieces) + b"0\r\nX-Sum: 1\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=10)))
    reader = AnswerReader()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.read(stream[begin:end])
    assert not reader.fault and reader.complete and reader.trailers == [(b"x-sum", b"1")]
    assert reader.take_body() == b"".join(pieces)


@pytest.mark.parametrize("size", [b"9", b"0009", b"000000000009", b"9;a=b"])
def test_a_chunk_may_say_its_size_in_many_ways(size: bytes) -> None:
    reader = begun()
    for _ in range(3):
        reader.read(size + b"\r\n" + EVENT + b"\r\n")
        assert not reader.fault and reader.take_body() == EVENT


def test_the_last_chunk_ends_the_answer_with_or_without_the_parser() -> None:
    for last in (b"0\r\n\r\n", b"00\r\n\r\n", b"0;x\r\n\r\n", b"0\r\nA: b\r\n\r\n"):
        for between in (b"", b"9;a=b\r\n" + EVENT + b"\r\n"):
            reader = begun()
            reader.read(between)
            reader.read(chunk(EVENT) + last)
            assert reader.complete and not reader.fault and reader.keep
            assert reader.take_body() == (EVENT if between else b"") + EVENT
            reader.expect(head=False)
            reader.read(HEAD + chunk(EVENT) + last + b"x")
            assert reader.fault and not reader.keep


def test_many_chunks_and_a_part_in_one_read() -> None:
    reader = begun()
    reader.read(chunk(b"A" * 10) + chunk(b"b" * 300) + b"3\r\nxy")
    assert reader.take_body() == b"A" * 10 + b"b" * 300 + b"xy"
    reader.read(b"z\r")
    reader.read(b"\n")
    reader.read(chunk(EVENT))
    assert not reader.fault and reader.take_body() == b"z" + EVENT


@pytest.mark.parametrize("bad", [
    b"9\n" + EVENT + b"\r\n", b"9\r\n" + EVENT + b"xx", b"+9\r\n" + EVENT + b"\r\n", b" 9\r\n" + EVENT + b"\r\n",
    b"0x9\r\n" + EVENT + b"\r\n", b"8\r\n" + EVENT + b"\r\n", b"g\r\n" + EVENT + b"\r\n", b"\r\n" + EVENT + b"\r\n",
    b"9 \n" + EVENT + b"\r\n", b"-1\r\n\r\n", b"1_0\r\n" + b"x" * 16 + b"\r\n", b"\xb9\r\n" + EVENT + b"\r\n",
])
def test_bad_chunks_are_faults_behind_good_ones(bad: bytes) -> None:
    reader = begun()
    reader.read(chunk(EVENT) + bad)
    assert reader.fault and not reader.complete and not reader.keep
