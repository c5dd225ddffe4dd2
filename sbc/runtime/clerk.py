"""Brings the new messages of journals to a durable store, some milliseconds' worth at a time."""

import asyncio

from sbc.core.relay import Relay
from sbc.model.ids import SessionId
from sbc.model.interfaces import Store

INTERVAL = 0.004
"""How long new messages are gathered, in seconds; with the store's own commit interval, what a SIGKILL can cost."""


class Office:
    """All clerks of the edge share one timer."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._noted: list[Clerk] = []
        self._timer: asyncio.TimerHandle | None = None

    def note(self, clerk: "Clerk") -> None:
        self._noted.append(clerk)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self.bring)

    def bring(self) -> None:
        """Bring everything now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        noted, self._noted = self._noted, []
        for clerk in noted:
            clerk.bring()


class Clerk:
    """Watches one journal of one session."""

    __slots__ = ("_first", "_from_client", "_office", "_relay", "_session", "noted")

    def __init__(self, office: Office, session: SessionId, relay: Relay, *, from_client: bool) -> None:
        self._office = office
        self._session = session
        self._relay = relay
        self._from_client = from_client
        self._first = relay.journal.first
        self.noted = False

    def note(self) -> None:
        """There are new messages."""
        self.noted = True
        self._office.note(self)

    def bring(self) -> None:
        """Hand the new messages over, and say what the journal has let go of."""
        self.noted = False
        journal = self._relay.journal
        messages = journal.take()
        if messages:
            first = journal.taken - len(messages) + 1
            self._office.store.journal(self._session, self._from_client, first, messages)
        if journal.first != self._first:
            self._first = journal.first
            self._office.store.forget_before(self._session, self._from_client, self._first)
