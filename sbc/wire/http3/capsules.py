"""Capsules on the stream of a WebTransport session (RFC 9297 section 3): the one that closes it is understood, the
others are passed over."""

from typing import Final

from sbc.wire.http3.frames import Fault, H3Error, varint
from sbc.wire.http3.pieces import Pieces

CLOSE_SESSION: Final = 0x2843
"""CLOSE_WEBTRANSPORT_SESSION: a code of 32 bits, and a reason in UTF-8."""
LONGEST_REASON: Final = 1024
_CODE_OCTETS: Final = 4


def close_capsule(code: int, reason: str) -> bytes:
    """The session ends, by this code."""
    text = reason.encode()[:LONGEST_REASON].decode(errors="ignore").encode()
    return varint(CLOSE_SESSION) + varint(_CODE_OCTETS + len(text)) + code.to_bytes(_CODE_OCTETS, "big") + text


class Capsules:
    """Reads what comes on a session's stream."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces = Pieces()

    def feed(self, data: bytes) -> tuple[int, str] | None:
        """Code and reason, once the other side has closed the session; nothing is read after that. Raises Fault."""
        for _, said in self._pieces.cut(data, _closes):
            return int.from_bytes(said[:_CODE_OCTETS], "big"), said[_CODE_OCTETS:].decode(errors="replace")
        return None


def _closes(kind: int, length: int) -> bool:
    if kind != CLOSE_SESSION:
        return False
    if not _CODE_OCTETS <= length <= _CODE_OCTETS + LONGEST_REASON:
        raise Fault(H3Error.MESSAGE_ERROR, "a session that is closed for no proper reason")
    return True
