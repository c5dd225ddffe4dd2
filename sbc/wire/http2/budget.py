"""What one HTTP/2 connection may ask for: its frames are counted from their heads, before any engine sees them.

A flood is cheap to send and dear to serve (CVE-2023-44487, CVE-2025-8671, CVE-2024-27316, CVE-2019-9511 to 9518), so
what is counted here is held against limits that no honest client comes near, and work is done in small portions: after
each of them the loop sees to others. Pure: no I/O, and the time is an argument. There is a compiled twin.
"""

CYCLE_OCTETS = 64 * 1024
CYCLE_FRAMES = 256
"""How much is worked off at a time: what takes some 5 ms."""
HEADERS_FRAMES = 8
"""As how many frames one counts that begins a request: that many times the work comes of it."""

RESETS_PER_SECOND = 100
RESETS = 5000
"""Streams that the other side gave up, in the connection's life."""
PREMATURE_RESETS = 50
"""Of those, the ones that had no answer yet: that many are always allowed, more if they are not most of its streams."""
PROVOKED_RESETS = 100
"""Streams that had to be reset here for what the other side sent on them."""
PINGS_PER_SECOND = 20
"""And one for each DATA frame sent in that time: gRPC measures by them how fast data comes."""
SETTINGS_PER_SECOND = 10
MOST_SETTINGS = 32
"""Entries of one SETTINGS frame."""
EMPTY_PER_SECOND = 10
"""DATA, HEADERS and CONTINUATION frames that carry nothing and end nothing."""
UNKNOWN_PER_SECOND = 100
CONTINUATIONS = 8
"""Of one block of header fields."""
STREAMS = 10_000
"""In the connection's life: then it is to be replaced."""
GLITCHES = 100
WORN_GLITCHES = 75
"""A score of oddities that halves every second. At the second the connection is to be replaced."""

_HEAD_OCTETS = 9
_DATA, _HEADERS, _PRIORITY, _RST_STREAM, _SETTINGS = 0x0, 0x1, 0x2, 0x3, 0x4
_PING, _WINDOW_UPDATE, _CONTINUATION, _PRIORITY_UPDATE = 0x6, 0x8, 0x9, 0x10
_END_STREAM, _END_HEADERS, _PADDED = 0x1, 0x4, 0x8
_OTHERS = frozenset({0xA, 0xC})
"""Extensions that are no oddity: ALTSVC (RFC 7838), ORIGIN (RFC 8336)."""


class Budget:
    """The accounts of one connection. `fault` names the limit that was broken, and is empty as long as none was."""

    __slots__ = ("_block", "_block_frames", "_clock", "_data_before", "_empty", "_head", "_last", "_most_block",
                 "_pings", "_premature", "_priorities", "_provoked", "_resets", "_resets_now", "_settings", "_skip",
                 "_unknown", "_updates", "begun_since", "data_frames", "fault", "glitches", "shared", "streams")

    def __init__(self, preface: int, most_block: int, now: float) -> None:
        """preface: bytes before the first frame. most_block: how long an encoded block of header fields may be, in
        bytes. now: seconds, by any clock that goes on."""
        self.fault = ""
        self.streams = 0
        """Streams that the other side began."""
        self.data_frames = 0
        """DATA frames sent to it: each of them may be answered by updates of windows."""
        self.glitches = 0
        self.shared = False
        """Whether it carries the requests of many clients, all of whom may give up at once."""
        self.begun_since = now
        """Since when something is begun and not complete, the first SETTINGS or a head; 0: nothing is."""
        self._most_block = most_block
        self._clock = now
        self._skip = preface
        self._head = b""
        """A frame's head that is not whole yet."""
        self._last = 0
        self._block = 0
        self._block_frames = 0
        self._resets = 0
        self._premature = 0
        self._provoked = 0
        self._priorities = 0
        self._updates = 0
        self._resets_now = 0
        self._pings = 0
        self._data_before = 0
        """DATA frames that were sent before this second."""
        self._settings = 0
        self._empty = 0
        self._unknown = 0

    @property
    def worn(self) -> bool:
        """Whether the connection is to be replaced in good order."""
        return self.glitches >= WORN_GLITCHES or self.streams >= STREAMS

    def charge(self, data: bytes, now: float) -> int:
        """Count what stands at the beginning of `data`: how many of its bytes may be worked off in this cycle."""
        if now - self._clock >= 1.0:
            self._next_second(now)
        end = min(len(data), CYCLE_OCTETS)
        at = frames = 0
        while at < end and frames < CYCLE_FRAMES:
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
            elif not self._head and end - at > _HEAD_OCTETS:
                frames += self._frame(data, at, now)
                at += _HEAD_OCTETS
            else:
                wanted = _HEAD_OCTETS + _is_padded(self._head)
                step = min(wanted - len(self._head), end - at)
                self._head += data[at : at + step]
                at += step
                if len(self._head) >= _HEAD_OCTETS + _is_padded(self._head):
                    head, self._head = self._head, b""
                    frames += self._frame(head, 0, now)
                    self._skip -= len(head) - _HEAD_OCTETS
        return at

    def premature(self) -> None:
        """The other side reset a stream that had no answer yet."""
        self._premature += 1
        if self._premature > PREMATURE_RESETS and self._premature * 2 > self.streams and not self.shared:
            self.fault = "h2_rapid_reset"

    def provoked(self) -> None:
        """A stream had to be reset for what came on it."""
        if self.shared:
            return
        self._provoked += 1
        self.glitch(2)
        if self._provoked > PROVOKED_RESETS:
            self.fault = "h2_provoked_resets"

    def glitch(self, points: int) -> None:
        """Something odd that is allowed now and then."""
        self.glitches += points
        if self.glitches > GLITCHES:
            self.fault = "h2_glitches"

    def _next_second(self, now: float) -> None:
        seconds = min(int(now - self._clock), 10)
        self._clock = now
        self.glitches >>= seconds
        self._data_before = self.data_frames
        self._resets_now = self._pings = self._settings = self._empty = self._unknown = 0

    def _frame(self, octets: bytes, at: int, now: float) -> int:
        """Count the frame whose head stands at `octets[at]` (RFC 9113 section 4.1); how much of a cycle it takes."""
        length = octets[at] << 16 | octets[at + 1] << 8 | octets[at + 2]
        kind = octets[at + 3]
        flags = octets[at + 4]
        self._skip = length
        if kind == _DATA:
            # Padding carries nothing either (RFC 9113 section 6.1).
            if flags & _PADDED and length:
                length -= 1 + octets[at + _HEAD_OCTETS]
            if length <= 0 and not flags & _END_STREAM:
                self._count_empty()
        elif kind == _WINDOW_UPDATE:
            # As Envoy counts: five, and two for each stream and for each ten DATA frames sent.
            self._updates += 1
            if self._updates > 5 + 2 * (self.streams + 10 * self.data_frames):
                self.fault = "h2_window_update_flood"
        elif kind in (_HEADERS, _CONTINUATION):
            self._fields(octets, at, length, now)
        elif kind == _RST_STREAM:
            self._resets += 1
            self._resets_now += 1
            if (self._resets_now > RESETS_PER_SECOND or self._resets > RESETS) and not self.shared:
                self.fault = "h2_rapid_reset"
        elif kind == _PING:
            self._pings += 1
            if self._pings > PINGS_PER_SECOND + self.data_frames - self._data_before:
                self.fault = "h2_ping_flood"
        elif kind == _SETTINGS:
            self._settings += 1
            if self._settings > SETTINGS_PER_SECOND or length > 6 * MOST_SETTINGS:
                self.fault = "h2_settings_flood"
            if self._last == 0:
                self.begun_since = 0.0
        elif kind in (_PRIORITY, _PRIORITY_UPDATE):
            self._priorities += 1
            if self._priorities > 100 * (1 + self.streams):
                self.fault = "h2_priority_flood"
            elif kind == _PRIORITY and octets[at + 5 : at + _HEAD_OCTETS] == bytes(4):
                self.fault = "h2_protocol"  # RFC 9113 section 6.3; nghttp2 reads these frames no more
        elif kind not in _OTHERS:  # PUSH_PROMISE and GOAWAY too: there is no need of many
            self._unknown += 1
            if self._unknown > UNKNOWN_PER_SECOND:
                self.fault = "h2_unknown_frames"
        return HEADERS_FRAMES if kind == _HEADERS else 1

    def _fields(self, octets: bytes, at: int, length: int, now: float) -> None:
        """A HEADERS or CONTINUATION frame."""
        flags = octets[at + 4]
        if octets[at + 3] == _HEADERS:
            stream = (octets[at + 5] & 0x7F) << 24 | octets[at + 6] << 16 | octets[at + 7] << 8 | octets[at + 8]
            if stream > self._last:
                self._last = stream
                self.streams += 1
            self._block = self._block_frames = 0
        else:
            self._block_frames += 1
        self._block += length
        if length == 0:
            self._count_empty()
        if self._block_frames > CONTINUATIONS or self._block > self._most_block:
            self.fault = "h2_continuation_flood"
        self.begun_since = 0.0 if flags & _END_HEADERS else self.begun_since or now

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > EMPTY_PER_SECOND:
            self.fault = "h2_empty_frames"


def _is_padded(head: bytes) -> bool:
    """Whether a frame's head says that a byte follows which is needed to judge it: how much of DATA is padding."""
    return (len(head) >= _HEAD_OCTETS and head[3] == _DATA and bool(head[4] & _PADDED)
            and head[:3] != b"\0\0\0")  # fmt: skip
