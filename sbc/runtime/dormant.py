"""Dialogs that a store gave back after a restart: they wait for their clients, and are woken when these return."""

from collections.abc import Sequence
from typing import Protocol

from sbc.core.dialog import ClientSide, Dialog, NodeSide
from sbc.core.relay import Relay
from sbc.model.errors import Refusal, StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.model.manifest import Manifest
from sbc.runtime import record
from sbc.runtime.house import House
from sbc.runtime.rules import Rules
from sbc.telemetry.records import RecordWriter


class Host(Protocol):
    """The hall, as far as a dormant dialog needs it."""

    house: House
    rules: Rules
    records: RecordWriter | None


class Waiter(Protocol):
    """A client that is back, and waits for its dialog to wake."""

    @property
    def gone(self) -> bool:
        """Whether it has given up meanwhile."""

    def go_on(self, entry: Stored, manifest: Manifest, journals: Journals) -> None:
        """The dialog as it was. Raises Refusal."""

    def refuse(self, refusal: Refusal) -> None:
        """It will not wake now."""


class Dormant:
    """What is known of sessions without a dialog in memory."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.entries: dict[SessionId, Stored] = {}
        self._until: dict[SessionId, float] = {}

    def __contains__(self, session: SessionId) -> bool:
        return session in self.entries

    def lay_down(self, entries: Sequence[Stored]) -> None:
        """These are on record: each waits for its client as long as its manifest holds one."""
        now = self._host.house.loop.time()
        for entry in entries:
            manifest = self._host.rules.agents.get(entry.agent)
            session = entry.binding.session
            self.entries[session] = entry
            self._until[session] = now + (manifest.migration.hold if manifest else 0.0)
            if manifest is not None:
                self._host.house.roster.ledger.enter(entry.principal, limit=2**31)

    def wake(self, session: SessionId, waiter: Waiter) -> None:
        """The client is back: read the journals and go on."""
        self._host.house.spawn("wake", self._wake(self.entries.pop(session), self._until.pop(session), waiter))

    async def _wake(self, entry: Stored, until: float, waiter: Waiter) -> None:
        session = entry.binding.session
        manifest = self._host.rules.agents.get(entry.agent)
        try:
            journals = await self._host.house.store.journals(session)
        except StoreError:
            self.entries[session], self._until[session] = entry, until
            waiter.refuse(Refusal(503, "store", "the session cannot be read now", retry_after=1))
            return
        if waiter.gone:
            self.entries[session], self._until[session] = entry, until
        elif manifest is None:
            waiter.refuse(Refusal(404, "session_gone", "its agent is no longer served here"))
            self._host.house.store.remove(session)
            record.write_absent(self._host.house, entry, "agent_gone", self._host.records)
        else:
            try:
                waiter.go_on(entry, manifest, journals)
            except Refusal as refused:
                waiter.refuse(refused)

    def expire(self) -> list[Stored]:
        """Those whose clients did not come back in time; they are forgotten."""
        now = self._host.house.loop.time()
        late = [session for session, until in self._until.items() if now >= until]
        expired = [self.entries.pop(session) for session in late]
        for entry in expired:
            del self._until[entry.binding.session]
            self._host.house.store.remove(entry.binding.session)
            if self._host.rules.agents.get(entry.agent) is not None:
                self._host.house.roster.ledger.leave(entry.principal)
        return expired


def restore(dialog: Dialog, entry: Stored, journals: Journals) -> None:
    """Put a dialog back as the store knows it: parked, its owner's leg gone with the edge before."""
    dialog.binding = entry.binding
    dialog.last_epoch = entry.binding.epoch
    dialog.checkpoint = entry.checkpoint
    dialog.client, dialog.node = ClientSide.AWAY, NodeSide.WAITING
    dialog.recovered = dialog.account.recovered = True
    _refill(dialog.inbound, *journals.from_client)
    _refill(dialog.outbound, *journals.from_node)
    dialog.passed = dialog.inbound.count


def _refill(relay: Relay, first: int, messages: Sequence[bytes]) -> None:
    relay.journal.restart(first)
    for message in messages:
        relay.journal.insist(message, 0, len(message))
    relay.journal.take()  # the store has them
    relay.count = relay.journal.last

