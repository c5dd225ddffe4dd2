"""The verdict on a chain of receipts (core/receipt.py): what was done to it, and in which line.

    a field altered           ALTERED; without a public key, if all of the line was made anew, UNLINKED in the next line
    a line taken out          REMOVED in the line behind; HEAD if the first ones are gone
    lines swapped             MOVED in the line that belongs further up
    a line put in             INSERTED in the second line of its number; ALTERED if it is no record
    signed by another         SIGNATURE
    not written to its end    `Verdict.torn`: a crash, not tampering

What no chain can show by itself is that its newest records were cut off: compare `Verdict.end` with a number and digest
noted elsewhere, and records made by someone who holds the signing key.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sbc.core.receipt import GENESIS, ChainEnd, NotSigned, Record, Unreadable, Unsound, read_record

FAULTS_LISTED: Final = 100
"""A verdict counts all faults and describes so many."""
_HOLES: Final = 100
"""So many gaps are remembered in case their records turn up further down."""


class FaultKind(Enum):
    """What was done to a chain, as far as can be told."""

    ALTERED = "altered"
    """The line is not what was written, or is no record."""
    SIGNATURE = "signature"
    """The line's signature is missing or of another key."""
    UNLINKED = "unlinked"
    """The line is sound but names another record as the one before: one of the two was made anew."""
    HEAD = "head"
    """The chain does not begin with its first record."""
    REMOVED = "removed"
    """Records that stood before this line are gone."""
    MOVED = "moved"
    """The record belongs further up."""
    INSERTED = "inserted"
    """A second record of the same number."""


@dataclass(frozen=True, slots=True)
class Fault:
    line: int
    """From 1."""
    kind: FaultKind
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.kind.value}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification found."""

    records: int
    """Lines that are sound in themselves."""
    end: ChainEnd
    faults: tuple[Fault, ...]
    """The first FAULTS_LISTED, in the order of their lines."""
    faulty: int
    """How many faults there are in all."""
    torn: int | None
    """The last line, if it was not written to its end: a crash, not tampering."""
    missing: int
    """Records that the edge itself declares as lost (its disk was full)."""

    @property
    def sound(self) -> bool:
        return self.faulty == 0


def verify_lines(lines: Iterable[bytes], public_key: Ed25519PublicKey | None) -> Verdict:
    """Judge a whole chain, line by line as read from its file (each with its line feed, the last perhaps without)."""
    verification = _Verification()
    for number, line in enumerate(lines, 1):
        try:
            record = read_record(line.removesuffix(b"\n"), public_key)
        except Unreadable as error:
            # A beginning of a JSON object is never JSON itself, so that a torn line cannot be taken for an altered one.
            if line.endswith(b"\n"):
                verification.unsound(number, FaultKind.ALTERED, str(error))
            else:
                verification.torn = number
        except NotSigned as error:
            verification.unsound(number, FaultKind.SIGNATURE, str(error))
        except Unsound as error:
            verification.unsound(number, FaultKind.ALTERED, str(error))
        else:
            verification.sound(number, record)
    return verification.verdict()


@dataclass(slots=True)
class _Hole:
    """Records low..high were not met where they belong, before `line`; so many of them turned up further down."""

    line: int
    low: int
    high: int
    found: int = 0


@dataclass(slots=True)
class _Verification:
    """Where the chain has got to, and what may still turn up."""

    number: int = GENESIS.number
    ends: tuple[ChainEnd, ...] = (GENESIS,)
    """What the next record may follow: more than one while two records claim the same number."""
    before: tuple[ChainEnd, ...] = ()
    """What the record of `number` may follow."""
    unsound_since: int = 0
    """Unsound lines since: each may stand where a record was, or may have been put in."""
    holes: list[_Hole] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    faulty: int = 0
    records: int = 0
    missing: int = 0
    torn: int | None = None

    def unsound(self, line: int, kind: FaultKind, detail: str) -> None:
        self.unsound_since += 1
        self._fault(line, kind, detail)

    def sound(self, line: int, record: Record) -> None:
        self.records += 1
        self.missing += max(record.missing, 0)
        number, expected = record.number, self.number + 1
        reach = expected + self.unsound_since
        if number < expected:
            self._displaced(line, record)
            return
        if number > reach:
            self._gap(_Hole(line, reach, number - 1))
        elif number == expected and not any(record.follows(end) for end in self.ends):
            self._fault(line, FaultKind.UNLINKED, f"record {number} does not follow the record before it")
        self.number, self.before, self.ends, self.unsound_since = number, self.ends, (record.end,), 0

    def verdict(self) -> Verdict:
        for hole in self.holes:
            self._close(hole)
        faults = sorted(self.faults, key=lambda fault: fault.line)
        return Verdict(self.records, self.ends[-1], tuple(faults), self.faulty, self.torn, self.missing)

    def _displaced(self, line: int, record: Record) -> None:
        for hole in self.holes:
            if hole.low <= record.number <= hole.high:
                hole.found += 1
                self._fault(line, FaultKind.MOVED, f"record {record.number} stands behind record {self.number}")
                return
        self._fault(line, FaultKind.INSERTED, f"a second record {record.number}")
        if record.number == self.number and any(record.follows(end) for end in self.before):
            # One of the two was made anew; which of them the chain goes on from, only the next line shows.
            self.ends = (self.ends[0], record.end)

    def _gap(self, hole: _Hole) -> None:
        self.holes.append(hole)
        if len(self.holes) > _HOLES:
            self._close(self.holes.pop(0))

    def _close(self, hole: _Hole) -> None:
        gone = hole.high - hole.low + 1 - hole.found
        if gone > 0:
            kind = FaultKind.HEAD if hole.low == 1 else FaultKind.REMOVED
            self._fault(hole.line, kind, f"{gone} of the records {hole.low} to {hole.high} are gone")

    def _fault(self, line: int, kind: FaultKind, detail: str) -> None:
        self.faulty += 1
        if len(self.faults) < FAULTS_LISTED:
            self.faults.append(Fault(line, kind, detail))
