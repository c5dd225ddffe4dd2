"""The journal against a plain list: whatever is done to it, numbers, order and bounds stay right."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.twins import TWINS, Twin

HEADER = 4
SIZES = st.integers(0, 40) | st.integers(100, 700)


class JournalMachine(RuleBasedStateMachine):
    """Does the same to a journal and to a list of (number, message)."""

    twin: Twin

    @initialize(limit=st.sampled_from([0, 3, 60, 511, 600, 1500, 4000]))
    def begin(self, limit: int) -> None:
        self.journal = self.twin.Journal(limit)
        self.limit = limit
        self.kept: list[tuple[int, bytes]] = []
        self.next = 1
        self.taken = 0
        self.serial = 0

    def message(self, size: int) -> bytes:
        self.serial += 1
        return (f"{self.serial}:".encode() * (size + 1))[:size]

    def octets(self) -> int:
        return sum(len(message) + HEADER for _, message in self.kept)

    @rule(size=SIZES, mark=st.none() | st.integers(0, 8))
    def append(self, size: int, mark: int | None) -> None:
        message = self.message(size)
        before = dict(self.kept)
        if mark is None:
            self.journal.append(b"<<" + message + b">", 2, 2 + size)
        else:
            self.journal.append_marked(message[:mark], message[mark:])
        if size + HEADER > self.limit:
            self.kept = []
        else:
            self.kept.append((self.next, message))
        self.next += 1
        assert self.journal.octets <= self.limit
        # The ring may let go of more than the sum of the sizes asks for, but only from the oldest end, and only
        # where not all would have fitted.
        kept = self.journal.since(0)
        gone = len(self.kept) - len(kept)
        if gone:
            assert sum(len(old) + HEADER for old in before.values()) + size + HEADER > self.limit // 2 - 1
        self.kept = self.kept[gone:]

    @rule(size=SIZES)
    def insist(self, size: int) -> None:
        message = self.message(size)
        self.journal.insist(message + b"...", 0, size)
        self.kept.append((self.next, message))
        self.next += 1

    @rule(back=st.integers(-3, 12))
    def trim(self, back: int) -> None:
        through = self.next - 1 - back
        self.journal.trim(through)
        self.kept = [(number, message) for number, message in self.kept if number > through]

    @rule(ahead=st.integers(0, 3))
    def restart(self, ahead: int) -> None:
        self.journal.restart(self.next + ahead)
        self.next += ahead
        self.kept = []

    @rule()
    def take(self) -> None:
        fresh = [message for number, message in self.kept if number > self.taken]
        assert self.journal.take() == fresh
        self.taken = self.next - 1
        assert self.journal.taken == self.taken

    @invariant()
    def the_same_messages_under_the_same_numbers(self) -> None:
        journal = self.journal
        assert journal.last == self.next - 1
        assert journal.since(0) == [message for _, message in self.kept]
        assert journal.octets == self.octets()
        if self.kept:
            assert journal.first == self.kept[0][0]
            for after in {self.kept[0][0], self.kept[-1][0] - 1, self.next}:
                assert journal.since(after) == [message for number, message in self.kept if number > after]
        else:
            assert journal.first == journal.last + 1

    @precondition(lambda self: not self.kept)
    @invariant()
    def nothing_kept_costs_next_to_nothing(self) -> None:
        assert len(self.journal.since(0)) == 0
        assert capacity(self.journal) <= 512


def capacity(journal: object) -> int:
    """How many bytes the buffer of a journal has; the compiled twin does not show it."""
    buffer: bytes = getattr(journal, "_buffer", b"")
    return len(buffer)


@pytest.mark.parametrize("twin", TWINS, ids=repr)
def test_against_a_list(twin: Twin) -> None:
    machine: Any = type("Machine", (JournalMachine,), {"twin": twin})
    machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
    machine.TestCase("runTest").runTest()


@pytest.mark.parametrize("twin", TWINS, ids=repr)
def test_the_oldest_give_way_one_by_one(twin: Twin) -> None:
    journal = twin.Journal(5 * 14)
    for number in range(1, 21):
        journal.append(f"{number:010}".encode(), 0, 10)
    assert (journal.first, journal.last) == (16, 20)
    assert journal.since(18) == [b"0000000019", b"0000000020"]


@pytest.mark.parametrize("twin", TWINS, ids=repr)
def test_a_message_over_the_limit_takes_everything_with_it(twin: Twin) -> None:
    journal = twin.Journal(64)
    journal.append(b"before", 0, 6)
    journal.append(b"x" * 61, 0, 61)
    assert (journal.first, journal.last, journal.octets) == (3, 2, 0)
    journal.append(b"after", 0, 5)
    assert (journal.first, journal.since(0)) == (3, [b"after"])


@pytest.mark.parametrize("twin", TWINS, ids=repr)
def test_what_was_insisted_on_never_gives_way_to_more_of_it(twin: Twin) -> None:
    journal = twin.Journal(500)
    for size in (1500, 600):
        journal.insist(b"a" * size, 0, size)
    journal.trim(1)
    journal.insist(b"b" * 1500, 0, 1500)
    assert [len(message) for message in journal.since(0)] == [600, 1500]
    assert journal.first == 2


@pytest.mark.parametrize("twin", TWINS, ids=repr)
def test_appending_comes_back_to_the_limit_after_insisting(twin: Twin) -> None:
    journal = twin.Journal(100)
    for _ in range(10):
        journal.insist(b"a" * 46, 0, 46)
    journal.append(b"b" * 46, 0, 46)
    assert journal.octets <= 100
    assert journal.last == 11
    assert journal.since(0)[-1] == b"b" * 46


def test_a_journal_that_is_trimmed_as_it_goes_stays_small() -> None:
    journal = TWINS[0].Journal(256 * 1024)
    for number in range(1, 5000):
        journal.append(b"m" * 96, 0, 96)
        journal.trim(number - 2)
    assert capacity(journal) <= 1024
