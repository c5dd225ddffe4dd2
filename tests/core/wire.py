"""Frames built byte by byte from RFC 6455 section 5.2, apart from the code under test; and bad ones of every kind."""

from dataclasses import dataclass

from hypothesis import strategies as st

MASK = b"\x9a\x00\x7f\xff"
EDGES = (0, 1, 2, 125, 126, 127, 128, 65535, 65536)


def frame(opcode: int, payload: bytes, *, masked: bool, fin: bool = True, rsv: int = 0, mask: bytes = MASK) -> bytes:
    """One frame; rsv: the three reserved bits as 0x40, 0x20, 0x10."""
    length = len(payload)
    bit = 0x80 if masked else 0
    if length < 126:
        head = bytes([(0x80 if fin else 0) | rsv | opcode, bit | length])
    elif length < 65536:
        head = bytes([(0x80 if fin else 0) | rsv | opcode, bit | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([(0x80 if fin else 0) | rsv | opcode, bit | 127]) + length.to_bytes(8, "big")
    if not masked:
        return head + payload
    whole = mask * (length // 4 + 1)
    return head + mask + bytes(a ^ b for a, b in zip(payload, whole, strict=False))


@dataclass(frozen=True, slots=True)
class Sent:
    """A stretch of valid frames: one message, with the control frames that stood between its fragments."""

    wire: bytes
    message: bytes
    """The message's own frames."""
    controls: tuple[tuple[int, bytes], ...]


TEXTS = st.text(max_size=30) | st.sampled_from(EDGES).map(lambda size: "x" * size) | st.just("\u00e9" * 63 + "\u65e5")
CONTROLS = st.lists(st.tuples(st.sampled_from([9, 10]), st.binary(max_size=125)), max_size=2)


@st.composite
def messages(draw: st.DrawFn, *, masked: bool) -> Sent:
    """A valid message: text or binary, in one frame or in fragments cut anywhere, with pings and pongs between."""
    text = draw(st.booleans())
    payload = draw(TEXTS).encode() if text else draw(st.binary(max_size=30))
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    pieces = [payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    mask = draw(st.binary(min_size=4, max_size=4))
    wire, whole, controls = b"", b"", []
    for number, piece in enumerate(pieces):
        for opcode, word in draw(CONTROLS):
            wire += frame(opcode, word, masked=masked, mask=mask)
            controls.append((opcode, word))
        opcode = (1 if text else 2) if number == 0 else 0
        part = frame(opcode, piece, masked=masked, fin=number == len(pieces) - 1, mask=mask)
        wire, whole = wire + part, whole + part
    return Sent(wire, whole, tuple(controls))


BAD_UTF8 = (
    b"\x80", b"\xff", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\xc3", b"abc\xf0\x9f\x98", b"ok\xfe",
)  # fmt: skip
"""Overlong forms, surrogates, beyond U+10FFFF, cut off, and bytes that never occur (RFC 3629 section 3)."""


def bad_frames(*, masked: bool, limit: int) -> list[tuple[int, bytes]]:
    """Every kind of fault, and the close code that answers it. None of them is a message."""

    def made(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = masked) -> bytes:
        return frame(opcode, payload, masked=mask, fin=fin, rsv=rsv)

    bit = 0x80 if masked else 0
    key = MASK if masked else b""
    faults = [(1002, made(opcode)) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)]
    faults += [(1002, made(opcode, rsv=rsv)) for opcode in (1, 2, 9) for rsv in (0x10, 0x20, 0x40, 0x70)]
    faults += [(1002, made(opcode, b"x", mask=not masked)) for opcode in (1, 2, 9)]
    faults += [(1002, made(opcode, fin=False)) for opcode in (8, 9, 10)]
    faults += [(1002, made(9, b"x" * 126)), (1002, made(10, b"x" * 70000))]
    faults += [
        (1002, bytes([0x82, bit | 126]) + b"\x00\x7d" + key + b"x" * 125),
        (1002, bytes([0x82, bit | 127]) + (65535).to_bytes(8, "big") + key + b"x" * 65535),
        (1002, bytes([0x82, bit | 127]) + (1 << 63).to_bytes(8, "big") + key),
        (1002, made(0, b"of nothing")),
        (1002, made(1, b"a", fin=False) + made(1, b"b")),
        (1002, made(8, b"x")),
        (1002, made(8, (1005).to_bytes(2, "big"))), (1002, made(8, (999).to_bytes(2, "big"))),
        (1002, made(8, (1015).to_bytes(2, "big"))), (1002, made(8, (2000).to_bytes(2, "big"))),
        (1002, made(8, (5000).to_bytes(2, "big"))),
        (1007, made(8, (1000).to_bytes(2, "big") + b"\xff")),
        (1009, made(2, b"x" * (limit + 1))),
        (1009, bytes([0x82, bit | 127]) + (1 << 40).to_bytes(8, "big")),
        (1009, made(2, b"x" * limit, fin=False) + made(0, b"x")),
        (1009, made(2, b"", fin=False) + made(0, b"", fin=False) * (limit + 14)),
    ]  # fmt: skip
    for bad in BAD_UTF8:
        faults += [(1007, made(1, bad)), (1007, made(1, bad[:1], fin=False) + made(0, bad[1:]))]
        faults += [(1007, made(1, b"x" * 130 + bad))]
    return faults
