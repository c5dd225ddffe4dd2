"""The raw operations of the relay path agree with bytes and bytes.decode, under every mask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.core.octets import decodes, unmasked
from tests.core.twins import TWINS, Twin

MASKS = st.none() | st.binary(min_size=4, max_size=4)
TEXTS = st.text(max_size=40).map(str.encode) | st.binary(max_size=40)
AROUND = st.binary(max_size=9)


def laid(before: bytes, payload: bytes, mask: bytes | None, after: bytes) -> tuple[bytes, int, int, int]:
    """A payload as it lies on the wire, masked by hand: the bytes, its start, its end, where its mask is."""
    if mask is None:
        return before + payload + after, len(before), len(before) + len(payload), -1
    masked = bytes(octet ^ mask[number % 4] for number, octet in enumerate(payload))
    start = len(before) + 4
    return before + mask + masked + after, start, start + len(payload), len(before)


def is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("twin", TWINS, ids=repr)
@given(before=AROUND, payload=TEXTS, mask=MASKS, after=AROUND)
def test_ascii_text_is_isascii_whatever_lies_around(
    twin: Twin, before: bytes, payload: bytes, mask: bytes | None, after: bytes
) -> None:
    assert bool(twin.octets.ascii_text(*laid(before, payload, mask, after))) == payload.isascii()


@given(before=AROUND, payload=TEXTS, mask=MASKS, after=AROUND)
def test_decodes_is_decode_and_unmasked_gives_the_payload(
    before: bytes, payload: bytes, mask: bytes | None, after: bytes
) -> None:
    where = laid(before, payload, mask, after)
    assert unmasked(*where) == payload
    assert decodes(*where) == is_utf8(payload)


@pytest.mark.parametrize("twin", TWINS, ids=repr)
def test_one_high_bit_is_seen_in_every_lane_and_length(twin: Twin) -> None:
    for mask in (None, b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x80\x00\x7f\xff"):
        for length in range(1, 20):
            for at in range(length):
                payload = bytearray(b"a" * length)
                payload[at] = 0x80
                assert not twin.octets.ascii_text(*laid(b"..", bytes(payload), mask, b"\xff"))
            assert twin.octets.ascii_text(*laid(b"..", b"a" * length, mask, b"\xff" * 8))


@pytest.mark.parametrize("twin", TWINS, ids=repr)
@given(length=st.integers(0, 2**32 - 1), at=st.integers(0, 4))
def test_a_length_is_read_back_and_nothing_else_is_touched(twin: Twin, length: int, at: int) -> None:
    buffer = bytearray(b"........")
    twin.octets.put_length(buffer, at, length)
    assert twin.octets.get_length(buffer, at) == length
    assert buffer[:at] + buffer[at + 4 :] == b"...."


@pytest.mark.parametrize("twin", TWINS, ids=repr)
@given(source=st.binary(min_size=1, max_size=32), edges=st.tuples(st.integers(0, 32), st.integers(0, 32)))
def test_copy_into_copies_in_place(twin: Twin, source: bytes, edges: tuple[int, int]) -> None:
    start, end = sorted(min(edge, len(source)) for edge in edges)
    buffer = bytearray(b"." * 40)
    twin.octets.copy_into(buffer, 3, source, start, end)
    assert buffer == b"..." + source[start:end] + b"." * (37 - (end - start))
