"""The per-message path of one direction of a dialog.

`admit` is given what was read from a leg and answers with what is to be written to the other one: in the plain case,
whole messages and an open gate, that is the very bytes that came, and no object is built. Everything else (frames in
pieces, control frames, a closed gate, a broken protocol) goes the slow way, which leaves word in `notices`, `fault`
and `attention` for the session that owns the legs.

A message is passed on only once it is whole: the next owner must never get the second half of one, nor the client
half a message of a node that died. Since the mask is part of the frame, a client's frame goes to a node as it came.
"""

from enum import IntEnum

from sbc.core.frames import Fault, Frame, Opcode, check_fragments, check_text, read_close, read_frame
from sbc.core.hearing import Clerk, Ear
from sbc.core.journal import Journal
from sbc.core.octets import ascii_text, decodes, unmasked
from sbc.model.errors import CloseCode

NOTICES = 16
"""Control frames of one read that are seen to; of more the latest."""

PORTION = 128
PORTION_BYTES = 64 * 1024
"""So many frames and bytes of one read are looked at in one turn of the loop, and the frame with which that is reached:
however much a session sends, others wait for no more."""
_FRAMES, _OCTETS = PORTION, PORTION_BYTES
"""The same, as numbers of C in a compiled build."""


class Gate(IntEnum):
    OPEN = 0
    """Messages are kept in the journal and passed on."""
    HOLD = 1
    """Messages are kept in the journal; nothing is passed on."""
    SHUT = 2
    """Messages are dropped: the dialog has no more use for this leg."""


class Tally:
    """Hot counters, shared by the dialogs of one agent and class; read at scrape (telemetry/collector.py)."""

    __slots__ = ("messages", "octets", "stale", "suppressed")

    def __init__(self) -> None:
        self.messages = 0
        self.octets = 0
        self.suppressed = 0
        """Messages that the client had been given by a former owner."""
        self.stale = 0
        """Messages that came when the sender had no say any more."""


class Relay:
    """One direction of a dialog, from the side of the leg that is read."""

    __slots__ = (
        "_deflate", "_fast", "_fragments", "_keep", "_limit", "_masked", "_need", "_suppress", "_tail",
        "attention", "clerk", "count", "ear", "fault", "gate", "journal", "notices", "stopped", "tally",
    )  # fmt: skip

    def __init__(self, journal: Journal, tally: Tally, *, masked: bool, limit: int) -> None:
        """masked: whether the sender is a client. limit: the longest message, in bytes."""
        self.journal = journal
        self.tally = tally
        self.gate = Gate.HOLD
        self.count = 0
        """How many whole messages were admitted since the session began."""
        self.attention = False
        """Whether the session has something to see to: `notices`, `fault`, or a journal that is full."""
        self.notices: list[tuple[int, bytes]] = []
        """Control frames that came: opcode and payload. The session empties it."""
        self.fault: Fault | None = None
        self.stopped = 0
        """Where `admit` stopped in what it was given; 0: nowhere, all of it was taken."""
        self.clerk: Clerk | None = None
        """Is told when there are new messages that a durable store has to keep."""
        self.ear: Ear | None = None
        """Hears what passes, if anybody has to: then every message goes the slow way."""
        self._masked = masked
        self._limit = limit
        self._deflate = False
        self._keep = True
        self._suppress = 0
        self._tail: bytearray | None = None
        self._need = 0
        self._fragments: bytearray | None = None
        self._fast = False

    def set_gate(self, gate: Gate) -> None:
        if gate == Gate.HOLD and not self._keep:
            self.journal.restart(self.count + 1)
        self.gate = gate
        self._settle()

    def keep(self, keep: bool) -> None:
        """Whether messages that are passed on are kept in the journal too; those held always are."""
        if keep and not self._keep:
            self.journal.restart(self.count + 1)
        self._keep = keep

    def listen(self, ear: Ear) -> None:
        """Have every message heard from here on."""
        self.ear = ear
        self._settle()

    def suppress(self, messages: int) -> None:
        """Drop the next messages: the client has them from a former owner."""
        self._suppress = messages
        self._settle()

    def restart(self, *, deflate: bool) -> None:
        """A new link carries the leg: whatever was unfinished on the one before is gone."""
        self._deflate = deflate
        self._tail = self._fragments = None
        self.fault = None
        self.attention = False
        self.notices = []
        self._settle()

    def rest(self) -> "Relay":
        """A relay that reads on where this one stands, for a link that the dialog has left: it passes nothing."""
        rest = Relay(Journal(0), self.tally, masked=self._masked, limit=self._limit)
        rest._deflate, rest._tail, rest._need, rest._fragments = self._deflate, self._tail, self._need, self._fragments
        rest.set_gate(Gate.SHUT)
        return rest

    def _settle(self) -> None:
        self._fast = (
            self.gate == Gate.OPEN and self._suppress == 0 and self._tail is None and self._fragments is None
            and self.fault is None and self.ear is None
        )  # fmt: skip

    def admit(self, data: bytes, at: int = 0) -> bytes:
        """What is to be written to the other leg now that `data` was read from this one, from `at` on.

        Of very much only a portion is looked at: `stopped` says where to go on, once others had their turn.
        """
        self.stopped = 0
        if not self._fast:
            return self._admit_slowly(data, at)
        start, size, left, most = at, len(data), _FRAMES, at + _OCTETS
        while at < size:
            if left == 0 or at >= most:
                self.stopped = at
                break
            end = self._whole_message(data, at, size)
            if end == 0:
                return data[start:at] + self._admit_slowly(data, at)
            self.count += 1
            self.tally.messages += 1
            self.tally.octets += end - at
            if self._keep:
                self.journal.append(data, at, end)
            left -= 1
            at = end
        if self.clerk is not None and not self.clerk.noted:
            self.clerk.note()
        return data if at - start == len(data) else data[start:at]

    def _whole_message(self, data: bytes, at: int, size: int) -> int:
        """Where the message that begins at `at` ends, if it is plainly one whole, valid frame; else 0."""
        if size - at < 2:
            return 0
        first, second = data[at], data[at + 1]
        # RFC 6455 section 5.2: FIN, no reserved bits, and opcode 1 (text) or 2 (binary).
        if first != 0x82 and first != 0x81:
            return 0
        if (second >= 128) != self._masked:
            return 0
        length, body = second & 0x7F, at + 2
        if length > 125:
            if length == 127 or size - at < 4:
                return 0
            length = (data[at + 2] << 8) | data[at + 3]
            body = at + 4
            if length < 126:
                return 0
        mask_at = -1
        if self._masked:
            mask_at = body
            body += 4
        end = body + length
        if end > size or length > self._limit:
            return 0
        if first == 0x81 and not ascii_text(data, body, end, mask_at) and not decodes(data, body, end, mask_at):
            return 0
        return end

    # The slow way.

    def _admit_slowly(self, data: bytes, at: int) -> bytes:
        out: list[bytes] = []
        left, most = _FRAMES, at + _OCTETS
        try:
            if self._tail is not None and self.fault is None:
                at = self._complete(self._tail, data, at, out)
                self._settle()
                if self._fast:
                    out.append(self.admit(data, at))
                    return b"".join(out)
            while at < len(data) and self.fault is None:
                if left == 0 or at >= most:
                    self.stopped = at
                    break
                frame = read_frame(data, at, masked=self._masked, deflate=self._deflate, limit=self._limit)
                if frame is None or frame.end > len(data):
                    self._tail = bytearray(data[at:])
                    self._need = len(self._tail) + 1 if frame is None else frame.end - at
                    break
                self._take(data, at, frame, out)
                left -= 1
                at = frame.end
        except Fault as fault:
            self.fault = fault
            self.attention = True
        self._settle()
        if self.clerk is not None and not self.clerk.noted:
            self.clerk.note()
        return b"".join(out)

    def _complete(self, tail: bytearray, data: bytes, at: int, out: list[bytes]) -> int:
        """Give a frame that has begun what it lacks, and no more: what follows may go the fast way. Where it ends."""
        while at < len(data):
            lack = self._need - len(tail)
            tail += data[at : at + lack]
            at = min(at + lack, len(data))
            if len(tail) < self._need:
                break
            whole = bytes(tail)
            frame = read_frame(whole, 0, masked=self._masked, deflate=self._deflate, limit=self._limit)
            if frame is not None and frame.end == len(whole):
                self._tail = None
                self._take(whole, 0, frame, out)
                break
            self._need = len(whole) + 1 if frame is None else frame.end
        return at

    def _take(self, data: bytes, at: int, frame: Frame, out: list[bytes]) -> None:
        if frame.opcode >= Opcode.CLOSE:
            self._take_control(data, frame)
        elif frame.opcode == Opcode.CONTINUATION:
            if self._fragments is None:
                raise Fault(CloseCode.PROTOCOL_ERROR, "continuation of nothing")
            self._take_fragment(self._fragments, data[at : frame.end], frame.fin, out)
        elif self._fragments is not None:
            raise Fault(CloseCode.PROTOCOL_ERROR, "new message inside a fragmented one")
        elif frame.fin:
            if frame.opcode == Opcode.TEXT and not frame.compressed:
                check_text(data, frame)
            self._pass(data[at : frame.end], out)
        else:
            self._fragments = bytearray()
            self._take_fragment(self._fragments, data[at : frame.end], False, out)

    def _take_control(self, data: bytes, frame: Frame) -> None:
        payload = unmasked(data, frame.body, frame.end, frame.mask_at)
        self.attention = True
        if frame.opcode == Opcode.CLOSE:
            read_close(payload)
            # RFC 6455 section 1.4: whatever arrives after a close frame is discarded.
            self.fault = Fault(CloseCode.NORMAL, "closed")
        elif len(self.notices) >= NOTICES:
            del self.notices[0]  # section 5.5.3: of several pings at once only the latest has to be answered
        self.notices.append((frame.opcode, payload))

    def _take_fragment(self, fragments: bytearray, piece: bytes, fin: bool, out: list[bytes]) -> None:
        fragments += piece
        # Frame headers count too: endless empty fragments would grow the message as well.
        if len(fragments) > self._limit + min(self._limit, 64 * 1024) + 14:
            raise Fault(CloseCode.TOO_BIG, f"message over {self._limit} bytes, or in too many fragments")
        if fin:
            message, self._fragments = bytes(fragments), None
            check_fragments(message, masked=self._masked, deflate=self._deflate, limit=self._limit)
            self._pass(message, out)

    def _pass(self, message: bytes, out: list[bytes]) -> None:
        if self.gate == Gate.SHUT:
            self.tally.stale += 1
            return
        if self._suppress > 0:
            self._suppress -= 1
            self.tally.suppressed += 1
            return
        self.count += 1
        self.tally.messages += 1
        self.tally.octets += len(message)
        if self.ear is not None and self.ear.hear(message):
            self.attention = True
        if self.gate == Gate.OPEN:
            if self._keep:
                self.journal.append(message, 0, len(message))
            out.append(message)
        elif self._masked:  # a client's message that no node was sent yet
            self.journal.insist(message, 0, len(message))
            self.attention = True  # somebody waits; and the journal may be full
        else:
            self.journal.append(message, 0, len(message))
