"""GOAWAY frames as bytes (RFC 9113 section 6.8), for what an engine cannot do, or does no longer."""

import struct

HEAD_OCTETS = 9
GOAWAY = 0x7
GOAWAY_OCTETS = 8
LONGEST_FRAME = 16 * 1024
"""RFC 9113 section 6.5.2: what SETTINGS_MAX_FRAME_SIZE is as long as nobody says otherwise."""
ANY_STREAM = 2**31 - 1
"""As the last stream: none is refused yet."""


def goaway_frame(last: int, code: int) -> bytes:
    """A GOAWAY frame without debug data."""
    return struct.pack(">BHBBLLL", 0, GOAWAY_OCTETS, GOAWAY, 0, 0, last, code)


class GoawaySieve:
    """Takes the GOAWAY frames out of what the other side sends; all else passes as it comes, up to a frame that is too
    long: `overlong`."""

    def __init__(self, preface: int) -> None:
        """preface: how many bytes come before the first frame."""
        self._passing = preface
        """How many more bytes go through unseen."""
        self._held = b""
        self.overlong = False

    def sift(self, data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
        """What passes, and the (last stream, code) of every GOAWAY in it."""
        data = self._held + data
        passed: list[bytes] = []
        found: list[tuple[int, int]] = []
        at = 0
        while True:
            step = min(self._passing, len(data) - at)
            passed.append(data[at : at + step])
            at += step
            self._passing -= step
            if len(data) - at < HEAD_OCTETS:
                break
            length = int.from_bytes(data[at : at + 3], "big")
            if length > LONGEST_FRAME:
                self.overlong = True
                break
            if data[at + 3] != GOAWAY or length < GOAWAY_OCTETS:
                self._passing = HEAD_OCTETS + length
                continue
            if len(data) - at < HEAD_OCTETS + length:
                break
            last, code = struct.unpack_from(">LL", data, at + HEAD_OCTETS)
            found.append((last & ANY_STREAM, code))
            at += HEAD_OCTETS + length
        self._held = data[at:]
        return b"".join(passed), found
