"""Brings what is new in the journals to a durable store. How, is for the agent to say (Durability):

    none   of messages nothing; only how many there were, where no checkpoint says so
    async  some milliseconds' worth at a time; nobody waits for it
    sync   in the next turn of the loop, all that came in this one; nothing is passed on before the store has it

A store that says nothing for too long stops no session: what waits is passed on without its word, and so is all that
comes until it is heard again (`durability_lost`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sbc.core.dialog import Dialog
from sbc.model.errors import Conflict
from sbc.model.interfaces import Store
from sbc.model.manifest import Durability, Replay
from sbc.telemetry.metrics import Metrics

INTERVAL = 0.004
"""How long new messages are gathered, in seconds; with the store's own commit interval, what a SIGKILL can cost."""
LATE = 2.0
"""How long messages wait for the store's word at most, in seconds."""


class Office:
    """All clerks of the edge share its timers. `trusts`: whether the store is waited for where that is wanted."""

    def __init__(self, store: Store, metrics: Metrics, announce: Callable[[str, Mapping[str, Any]], None]) -> None:
        self.store = store
        self.trusts = True
        self.metrics = metrics
        self._announce = announce
        self._loop = asyncio.get_running_loop()
        self._noted: list[Clerk] = []
        self._timer: asyncio.TimerHandle | None = None
        self._pressing: list[Notary] = []
        self._owing: dict[Notary, float] = {}
        """Who waits for the store's word, and since when."""
        self._watch: asyncio.TimerHandle | None = None

    def appoint(self, dialog: Dialog) -> None:
        """A dialog begins, or is made again."""
        kind = Notary if dialog.manifest.durability is Durability.SYNC else Clerk
        dialog.inbound.clerk = kind(self, dialog, from_client=True)
        dialog.outbound.clerk = kind(self, dialog, from_client=False)

    def note(self, clerk: "Clerk") -> None:
        self._noted.append(clerk)
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self.bring)

    def press(self, notary: "Notary") -> None:
        """The same, and somebody waits."""
        self._pressing.append(notary)
        if len(self._pressing) == 1:
            self._loop.call_soon(self._bring_pressing)

    def bring(self) -> None:
        """Bring everything now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        noted, self._noted = self._noted, []
        for clerk in noted:
            clerk.bring()
        self._bring_pressing()

    def _bring_pressing(self) -> None:
        pressing, self._pressing = self._pressing, []
        for notary in pressing:
            notary.bring()

    # The store's word.

    def owes(self, notary: "Notary", owing: bool) -> None:
        """Whether somebody waits for the store's word, from now on."""
        self._owing.pop(notary, None)
        if owing:
            self._owing[notary] = self._loop.time()
            if self._watch is None:
                self._watch = self._loop.call_later(LATE, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._owing:
            oldest, now = next(iter(self._owing.values())), self._loop.time()
            if oldest + LATE <= now:
                self.fails(f"no word from it for {LATE:g} s")
            self._watch = self._loop.call_later(LATE if not self.trusts else oldest + LATE - now, self._look)

    def fails(self, why: str) -> None:
        """The store did not keep what it was told, or does not say."""
        if self.trusts:
            self.trusts = False
            self._announce("durability_lost", {"why": why})
        for notary in list(self._owing):
            notary.give_up()

    def works(self) -> None:
        """It has kept what it was told."""
        if not self.trusts:
            self.trusts = True
            self._announce("durability_back", {})


class Clerk:
    """Watches one journal of one session."""

    __slots__ = ("_brings", "_dialog", "_first", "_from_client", "_office", "_relay", "noted")

    def __init__(self, office: Office, dialog: Dialog, *, from_client: bool) -> None:
        self._office = office
        self._dialog = dialog
        self._relay = dialog.inbound if from_client else dialog.outbound
        self._from_client = from_client
        self._brings = dialog.manifest.durability is not Durability.NONE
        self._first = self._relay.journal.first
        self.noted = False

    def note(self) -> None:
        """There are new messages."""
        self.noted = True
        self._office.note(self)

    def bring(self) -> None:
        """Hand the new messages over, and say what the journal has let go of."""
        self.noted = False
        messages = self._relay.journal.take() if self._brings else []
        if messages:
            self._hand_over(self._relay.journal.taken - len(messages) + 1, messages)
        first = self._owed_from()
        if first != self._first:
            self._first = first
            self._office.store.forget_before(self._dialog.session, self._from_client, first)

    def _hand_over(self, first: int, messages: list[bytes]) -> None:
        self._office.store.journal(self._dialog.session, self._from_client, first, messages)

    def whole(self) -> tuple[int, Sequence[bytes]]:
        """All that a store is to have of it, as if it had nothing: the first number, and the messages."""
        first, journal = self._owed_from(), self._relay.journal
        return first, journal.since(0) if self._brings and first == journal.first else ()

    def _owed_from(self) -> int:
        """The first message that may be owed to anybody. Of those before the store knows that there were so many, and
        a client that comes back to another edge is told it, and does not say again what a node was sent already."""
        dialog, relay = self._dialog, self._relay
        if self._brings:
            # What was not kept is not owed. Of requests their answers say how many there were.
            kept = relay.journal.last >= relay.count or dialog.answering is not None
            return relay.journal.first if kept else relay.count + 1
        said_again = dialog.manifest.migration.replay is Replay.ALL or dialog.owner is None or dialog.owner.checkpoints
        return self._first if said_again else relay.count + 1


class Notary(Clerk):
    """A clerk whose store is waited for. `pass_on` is told up to which number messages may be passed on."""

    __slots__ = ("_questions", "_unsure", "pass_on")

    def __init__(self, office: Office, dialog: Dialog, *, from_client: bool) -> None:
        super().__init__(office, dialog, from_client=from_client)
        self.pass_on: Callable[[int], None] = _nobody
        self._questions = 0
        """How often the store was told something that it has not answered."""
        self._unsure = 0
        """How many messages it was told so."""

    @property
    def waits(self) -> bool:
        """Whether what came last may not be passed on yet."""
        return (self.noted or self._questions > 0) and self._office.trusts

    @property
    def count(self) -> int:
        """The number of the last message."""
        return self._relay.count

    def note(self) -> None:
        """See Clerk."""
        self.noted = True
        self._office.press(self)

    def bring(self) -> None:
        """See Clerk."""
        super().bring()
        if self._questions == 0:
            self.pass_on(self._relay.count)

    def _hand_over(self, first: int, messages: list[bytes]) -> None:
        self._questions += 1
        self._unsure += len(messages)
        if not self._office.trusts:
            self._office.metrics.unstored += len(messages)
        if self._questions == 1:
            self._office.owes(self, True)
        done = partial(self._told, self._relay.count, len(messages))
        self._office.store.journal(self._dialog.session, self._from_client, first, messages, done)

    def _told(self, through: int, messages: int, error: Exception | None) -> None:
        self._questions -= 1
        self._unsure -= messages
        self._office.owes(self, self._questions > 0)
        match error:
            case None:
                self._office.works()
                self.pass_on(through)
            case Conflict():
                pass  # it is another edge's, which does not know of them, or it is over: nobody may hear them
            case _:
                if self._office.trusts:
                    self._office.metrics.unstored += messages
                self._office.fails(str(error))
                self.pass_on(through)

    def give_up(self) -> None:
        """The store's word is waited for no longer."""
        self._office.metrics.unstored += self._unsure
        self._office.owes(self, False)
        self.pass_on(self._relay.count)


def _nobody(_through: int) -> None:
    """Nothing waits yet."""
