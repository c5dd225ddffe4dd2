"""Cuts what is said in pieces of a type, a length and so many bytes: frames (RFC 9114 section 7.1) and capsules
(RFC 9297 section 3.2)."""

from collections.abc import Callable, Iterator

from sbc.wire.http3.frames import read_varint


class Pieces:
    """What is cut out of one stream."""

    __slots__ = ("_buffer", "_pass")

    def __init__(self) -> None:
        self._buffer = b""
        self._pass = 0
        """How much of a piece is still to be passed over."""

    def cut(self, data: bytes, wanted: Callable[[int, int], bool]) -> Iterator[tuple[int, bytes]]:
        """Type and bytes of each wanted piece that is whole by now. To be read to its end, or never called again.

        wanted: whether a piece of this type and length is kept until it is whole; it may be asked again as long as the
        piece is not, and may raise. Others are passed over, however long.
        """
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
            if not wanted(kind, length):
                self._pass, at = length, after
                continue
            if len(data) - after < length:
                break
            at = after + length
            yield kind, data[after:at]
        self._buffer = data[at:]
