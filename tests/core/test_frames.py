"""Frames read and built: against bytes made by hand, and against each other."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.core.frames import Fault, Opcode, build, close_payload, payload_of, read_close, read_frame
from sbc.model.errors import CloseCode
from tests.core.wire import EDGES, MASK, frame

LIMIT = 1 << 17


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("mask", [None, MASK])
def test_a_built_frame_is_the_one_made_by_hand_and_is_read_back(size: int, mask: bytes | None) -> None:
    payload = b"x" * size
    wire = build(Opcode.BINARY, payload, mask)
    assert wire == frame(2, payload, masked=mask is not None)
    found = read_frame(b"--" + wire, 2, masked=mask is not None, deflate=False, limit=LIMIT)
    assert found is not None
    assert (found.opcode, found.fin, found.end) == (Opcode.BINARY, True, 2 + len(wire))
    assert payload_of(wire, LIMIT) == (False, payload)


@given(payload=st.binary(max_size=200), masked=st.booleans(), cut=st.integers(0, 210))
def test_a_frame_cut_off_asks_for_more_or_tells_its_end(payload: bytes, masked: bool, cut: int) -> None:
    wire = frame(2, payload, masked=masked)
    part = wire[:cut]
    found = read_frame(part, 0, masked=masked, deflate=False, limit=LIMIT)
    head = 2 if len(payload) < 126 else 4
    if len(part) < head:
        assert found is None
    else:
        assert found is not None and found.end == len(wire)


@given(st.binary(max_size=16), st.booleans(), st.booleans())
def test_anything_is_a_frame_a_fault_or_too_short(data: bytes, masked: bool, deflate: bool) -> None:
    try:
        found = read_frame(data, 0, masked=masked, deflate=deflate, limit=1000)
    except Fault as fault:
        assert fault.code in (CloseCode.PROTOCOL_ERROR, CloseCode.TOO_BIG)
    else:
        assert found is None or 0 <= found.end - found.body <= 1000


@given(code=st.sampled_from([1000, 1001, 1011, 1014, 3000, 4999]), reason=st.text(max_size=200))
def test_a_close_reason_is_cut_on_a_character_and_read_back(code: int, reason: str) -> None:
    payload = close_payload(code, reason)
    assert len(payload) <= 125
    got, text = read_close(payload)
    assert got == code and reason.startswith(text)
    assert len(text.encode()) > 119 or text == reason


def test_a_close_without_a_code() -> None:
    assert read_close(b"") == (1005, "")
    assert close_payload(1005, "x") == close_payload(1006, "x") == b""


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535])
def test_codes_that_never_go_over_the_wire(code: int) -> None:
    with pytest.raises(Fault) as caught:
        read_close(code.to_bytes(2, "big"))
    assert caught.value.code == CloseCode.PROTOCOL_ERROR


def test_the_payload_of_fragments_joined_and_inflated() -> None:
    text = "zażółć".encode()
    parts = frame(1, text[:3], masked=True, fin=False) + frame(0, text[3:], masked=True)
    assert payload_of(parts, LIMIT) == (True, text)
    deflater = zlib.compressobj(wbits=-15)
    packed = (deflater.compress(b"a" * 5000) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
    whole = frame(2, packed, masked=False, rsv=0x40)
    assert payload_of(whole, 5000) == (False, b"a" * 5000)
    with pytest.raises(Fault) as caught:
        payload_of(whole, 4999)
    assert caught.value.code == CloseCode.TOO_BIG
    with pytest.raises(Fault) as caught:
        payload_of(frame(2, b"\xff\xff\xff", masked=False, rsv=0x40), LIMIT)
    assert caught.value.code == CloseCode.INVALID_TEXT
