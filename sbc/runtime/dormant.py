"""Dialogs that a store gave back after a restart: they wait for their clients, and are woken when these return."""

from collections.abc import Sequence
from typing import Protocol

from sbc.core.dialog import ClientSide, Dialog, NodeSide
from sbc.core.relay import Relay
from sbc.model.errors import Refusal, StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.model.manifest import Manifest
from sbc.model.policy import Policy
from sbc.model.route import Claims, Hello, Route
from sbc.runtime import record
from sbc.runtime.house import House
from sbc.runtime.rules import Rules
from sbc.runtime.websocket import WebSocketSession
from sbc.telemetry.records import RecordWriter
from sbc.transports.websocket import Doorstep
from sbc.wire.upgrade import values


class Host(Protocol):
    """The hall, as far as a dormant dialog needs it."""

    house: House
    rules: Rules
    records: RecordWriter | None

    def make(self, entry: Stored, manifest: Manifest, policy: Policy, hello: Hello) -> WebSocketSession: ...

    def reattach(self, session: WebSocketSession, door: Doorstep, hello: Hello, wish: Claims) -> None: ...


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

    def wake(self, session: SessionId, door: Doorstep, hello: Hello, wish: Claims, route: Route) -> None:
        """The client is back: read the journals and go on."""
        entry, until = self.entries.pop(session), self._until.pop(session)

        def put_back() -> None:
            self.entries[session], self._until[session] = entry, until

        door.gone = put_back
        self._host.house.spawn("wake", self._wake(entry, door, hello, wish, route))

    async def _wake(self, entry: Stored, door: Doorstep, hello: Hello, wish: Claims, route: Route) -> None:
        put_back = door.gone
        manifest = self._host.rules.agents.get(entry.agent)
        try:
            journals = await self._host.house.store.journals(entry.binding.session)
        except StoreError:
            put_back()
            door.refuse(Refusal(503, "store", "the session cannot be read now", retry_after=1))
            return
        if entry.binding.session in self.entries:
            return  # the client has given up meanwhile: it was put back
        if manifest is None:
            door.refuse(Refusal(404, "session_gone", "its agent is no longer served here"))
            self._host.house.store.remove(entry.binding.session)
            record.write_absent(self._host.house, entry, "agent_gone", self._host.records)
            return
        woken = self._host.make(entry, manifest, self._host.rules.policy_of(route), hello)
        restore(woken.dialog, entry, journals)
        offered = values(hello.headers, "sec-websocket-protocol")
        woken.legs.protocol = offered[0] if offered else None
        woken.legs.opened.deflate = None
        door.gone = _nothing
        try:
            self._host.reattach(woken, door, hello, wish)
        except Refusal as refused:
            door.refuse(refused)

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


def _nothing() -> None:
    pass
