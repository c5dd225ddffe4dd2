"""Pieces of a type and a length, cut at every place they may come apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.wire.http3.frames import Fault, H3Error, varint
from sbc.wire.http3.pieces import Pieces

PIECES = st.lists(st.tuples(st.integers(0, 2**20), st.binary(max_size=80)), max_size=8)


def even(kind: int, _length: int) -> bool:
    return kind % 2 == 0


@given(PIECES, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_what_is_wanted_comes_whole_and_in_order(said: list[tuple[int, bytes]], steps: list[int]) -> None:
    wire = b"".join(varint(kind) + varint(len(payload)) + payload for kind, payload in said)
    pieces, heard, at, turn = Pieces(), list[tuple[int, bytes]](), 0, 0
    while at < len(wire):
        step = steps[turn % len(steps)]
        heard += pieces.cut(wire[at : at + step], even)
        at, turn = at + step, turn + 1
    assert heard == [(kind, payload) for kind, payload in said if kind % 2 == 0]


def test_what_is_not_wanted_is_not_kept() -> None:
    pieces = Pieces()
    assert list(pieces.cut(varint(1) + varint(2**40), even)) == []
    for _ in range(100):
        assert list(pieces.cut(bytes(10_000), even)) == []
    assert pieces._buffer == b""


def test_who_is_asked_may_refuse() -> None:
    def refuse(_kind: int, length: int) -> bool:
        raise Fault(H3Error.FRAME_ERROR, f"{length} bytes")

    with pytest.raises(Fault, match="9 bytes"):
        list(Pieces().cut(varint(4) + varint(9), refuse))
