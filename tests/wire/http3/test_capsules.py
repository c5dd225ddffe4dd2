"""The capsule that closes a WebTransport session."""

import pytest

from sbc.wire.http3.capsules import Capsules, close_capsule
from sbc.wire.http3.frames import Fault, varint


def test_a_capsule_in_single_bytes() -> None:
    capsules = Capsules()
    strange = varint(0x78AE) + b"\x00" + varint(0x1234) + varint(70) + bytes(70)
    octets = strange + close_capsule(4409, "resumed elsewhere")
    said = [capsules.feed(bytes([octet])) for octet in octets]
    assert said[-1] == (4409, "resumed elsewhere") and not any(said[:-1])


def test_a_capsule_without_a_reason() -> None:
    assert Capsules().feed(close_capsule(0, "")) == (0, "")
    assert len(close_capsule(1000, "ü" * 2000)) <= 4 + 4 + 1024


@pytest.mark.parametrize("octets", [varint(0x2843) + b"\x03abc", varint(0x2843) + varint(5000)])
def test_a_capsule_that_cannot_be(octets: bytes) -> None:
    with pytest.raises(Fault):
        Capsules().feed(octets)
