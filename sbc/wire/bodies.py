"""Bodies of requests, with a word on where they end: of a told length, or in chunks (RFC 9112 section 7.1).

Chunks are decoded strictly:

    SIZE ──> DATA ──> AFTER ──> SIZE ...           each with its line end; what is not whole yet is kept
      └─0──> TRAILERS ──> END

httptools reads on into the next request without saying where that begins; here nothing behind the body is touched.
"""

import re
from enum import Enum

from sbc.model.errors import Refusal
from sbc.model.http import Fields

LONGEST_LINE = 256
"""Bytes of a chunk's size with its extensions, which nobody uses."""
LONGEST_TRAILERS = 8 * 1024
"""Bytes of all trailer fields, and of all chunk extensions of a body."""
MOST_TRAILERS = 32

AT_ONCE = 256
"""Chunks that are read at once: one of a single byte costs its sender six, and the reader a microsecond."""

_WHOLE = re.compile(rb"([0-9A-Fa-f]{1,7})\r\n")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*;[\t -~\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)")

_FORBIDDEN = frozenset({
    b"authorization", b"connection", b"content-encoding", b"content-length", b"content-range", b"content-type",
    b"cookie", b"expect", b"host", b"keep-alive", b"proxy-authorization", b"set-cookie", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
})  # fmt: skip
"""RFC 9110 section 6.5.1: what frames, routes or proves comes too late in a trailer."""


class Step(Enum):
    SIZE = "size"
    DATA = "data"
    AFTER = "after"
    TRAILERS = "trailers"
    END = "end"


class Measured:
    """A body of a told length."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def whole(self) -> bool:
        return self._left == 0

    @property
    def trailers(self) -> Fields:
        """None: such a body cannot have any."""
        return []

    def ends_within(self, octets: int) -> bool:
        """Whether no more than so much is still to come."""
        return self._left <= octets

    def read(self, data: bytes, at: int) -> tuple[bytes, int]:
        """What `data` holds of the body from `at` on, and how far that went."""
        end = min(at + self._left, len(data))
        self._left -= end - at
        return (data if end - at == len(data) else data[at:end]), end


class Chunks:
    """A body in chunks."""

    __slots__ = ("_left", "_line", "_overhead", "step", "trailers")

    def __init__(self) -> None:
        self.step = Step.SIZE
        self.trailers: Fields = []
        self._left = 0
        """Bytes of the chunk that are still to come."""
        self._line = b""
        """The beginning of a line that is not whole yet."""
        self._overhead = 0

    @property
    def whole(self) -> bool:
        return self.step is Step.END

    def ends_within(self, _octets: int) -> bool:
        """Whether no more than so much is still to come: nobody knows."""
        return False

    def read(self, data: bytes, at: int) -> tuple[bytes, int]:
        """What `data` holds of the body from `at` on, and how far that went: to its end, or that of so many chunks as
        are read at once. Raises Refusal."""
        parts: list[bytes] = []
        while at < len(data) and self.step is not Step.END and len(parts) < AT_ONCE:
            if self.step is Step.SIZE and not self._line and (after := self._read_whole(data, at, parts)):
                at = after
            elif self.step is Step.DATA:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if self._left == 0:
                    self.step = Step.AFTER
            else:
                at = self._read_line(data, at)
        return (parts[0] if len(parts) == 1 else b"".join(parts)), at

    def _read_whole(self, data: bytes, at: int, parts: list[bytes]) -> int:
        """Where a usual chunk ends that is all here; 0: there is none."""
        match = _WHOLE.match(data, at)
        if match is None:
            return 0
        begin, size = match.end(), int(match[1], 16)
        end = begin + size
        if not size or data[end : end + 2] != b"\r\n":
            return 0
        parts.append(data[begin:end])
        return end + 2

    def _read_line(self, data: bytes, at: int) -> int:
        """One line, or as much of it as there is."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        longest = LONGEST_TRAILERS if self.step is Step.TRAILERS else LONGEST_LINE
        if len(self._line) + stop - at > longest:
            raise _malformed("a line too long")
        line = self._line + data[at:stop]
        if end < 0:
            self._line = line
            return stop
        self._line = b""
        if not line.endswith(b"\r\n"):
            raise _malformed("a line that ends in a bare LF")
        self._take(line[: len(line) - 2])
        return stop

    def _take(self, line: bytes) -> None:
        match self.step:
            case Step.AFTER:
                if line:
                    raise _malformed("more in a chunk than its size says")
                self.step = Step.SIZE
            case Step.SIZE:
                self._begin(line)
            case _:
                self._trailer(line)

    def _begin(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise _malformed("not a proper chunk size")
        if match[2]:
            self._count(len(match[2]))
        self._left = int(match[1], 16)
        self.step = Step.DATA if self._left else Step.TRAILERS

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.step = Step.END
            return
        self._count(len(line))
        match = _FIELD.fullmatch(line)
        if match is None or len(self.trailers) == MOST_TRAILERS:
            raise _malformed("not a proper trailer")
        name = match[1].lower()
        if name in _FORBIDDEN:
            raise _malformed("a trailer that has to be a header")
        self.trailers.append((name, match[2].strip(b" \t")))

    def _count(self, octets: int) -> None:
        self._overhead += octets
        if self._overhead > LONGEST_TRAILERS:
            raise _malformed("too much beside the body")


def _malformed(why: str) -> Refusal:
    return Refusal(400, "malformed_body", f"not a proper chunked body: {why}")
