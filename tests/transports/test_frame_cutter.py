"""Frames as a server writes them, cut into messages."""

import pytest

from sbc.core.frames import Opcode, build
from sbc.transports.quic.frame_cutter import FrameCutter

PART = b"\x01\x02he" + b"\x89\x01p" + b"\x00\x02ll" + b"\x80\x01o"
"""A text in three fragments, with a ping between them."""


@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_messages_in_any_pieces(piece: int) -> None:
    octets = (build(Opcode.TEXT, b"one", None) + PART + build(Opcode.BINARY, b"x" * 70_000, None)
              + build(Opcode.TEXT, b"", None) + build(Opcode.CLOSE, b"\x03\xe8bye", None))
    cutter = FrameCutter()
    whole = [message for at in range(0, len(octets), piece) for message in cutter.cut(octets[at : at + piece])]
    assert whole == [
        (Opcode.TEXT, b"one"), (Opcode.PING, b"p"), (Opcode.TEXT, b"hello"), (Opcode.BINARY, b"x" * 70_000),
        (Opcode.TEXT, b""), (Opcode.CLOSE, b"\x03\xe8bye")]
