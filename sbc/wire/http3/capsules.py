"""Capsules on the stream of a WebTransport session (RFC 9297 section 3): the one that closes it is understood, the
others are passed over."""

from typing import Final

from sbc.wire.http3.frames import Fault, H3Error, read_varint, varint

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

    __slots__ = ("_buffer", "_pass")

    def __init__(self) -> None:
        self._buffer = b""
        self._pass = 0
        """How much of a capsule is still to be passed over."""

    def feed(self, data: bytes) -> tuple[int, str] | None:
        """Code and reason, once the other side has closed the session. Raises Fault."""
        data = self._buffer + data
        at = 0
        while True:
            step = min(self._pass, len(data) - at)
            self._pass -= step
            at += step
            kind, after = read_varint(data, at)
            length, after = read_varint(data, after) if after >= 0 else (0, after)
            if after < 0:
                break
            if kind != CLOSE_SESSION:
                self._pass, at = length, after
                continue
            if not _CODE_OCTETS <= length <= _CODE_OCTETS + LONGEST_REASON:
                raise Fault(H3Error.MESSAGE_ERROR, "a session that is closed for no proper reason")
            if len(data) - after < length:
                break
            code = int.from_bytes(data[after : after + _CODE_OCTETS], "big")
            return code, data[after + _CODE_OCTETS : after + length].decode(errors="replace")
        self._buffer = data[at:]
        return None
