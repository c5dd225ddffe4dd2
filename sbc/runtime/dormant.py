"""Dialogs that a store gave back after a restart: they wait for their clients, and are woken when these return."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sbc.core.dialog import ClientSide, Dialog, NodeSide
from sbc.core.relay import Relay
from sbc.model.errors import Refusal, StoreError
from sbc.model.ids import AgentName, PrincipalId, SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.model.manifest import Manifest
from sbc.protocols.protocol import Key
from sbc.runtime import record
from sbc.runtime.house import House
from sbc.runtime.http.registry import Registry
from sbc.runtime.record import Records
from sbc.runtime.rules import Rules


class Host(Protocol):
    """The hall, as far as a dormant dialog needs it."""

    house: House
    rules: Rules
    records: Records | None


class Waiter(Protocol):
    """A client that is back, and waits for its dialog to wake."""

    @property
    def gone(self) -> bool:
        """Whether it has given up meanwhile."""

    @property
    def follows(self) -> bool:
        """Whether it may go to the edge that has its session, and needs not have the session come here."""

    def follow(self, holder: str, instead: Callable[[], None]) -> bool:
        """Another edge, of this name, which lives, has the session: whether the client was sent there; if nobody is
        reached there, `instead` is called. Raises Refusal."""

    def go_on(self, entry: Stored, manifest: Manifest, journals: Journals) -> None:
        """The dialog as it was. Raises Refusal: it cannot be gone on with, and is over."""

    def join(self, session: SessionId) -> None:
        """Another one woke the dialog: come in as to any live one. Raises Refusal."""

    def refuse(self, refusal: Refusal) -> None:
        """It will not wake now."""


class Sleeper:
    """A dialog that nobody has come back to yet."""

    __slots__ = ("entry", "journals", "until", "waiters")

    def __init__(self, entry: Stored, until: float, journals: Journals | None = None) -> None:
        self.entry = entry
        self.journals = journals
        """As a predecessor has handed them over; None: the store has them."""
        self.until = until
        """When it is given up, by the loop's clock."""
        self.waiters: list[Waiter] = []
        """Those that came back and wait for what the store has; as many as came in some milliseconds."""

    @property
    def whose(self) -> tuple[AgentName, PrincipalId]:
        return self.entry.agent, self.entry.principal


class Dormant:
    """What is known of sessions without a dialog in memory."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.sleepers: dict[SessionId, Sleeper] = {}
        self._registry: Registry[Sleeper] = Registry()

    def __contains__(self, session: SessionId) -> bool:
        return session in self.sleepers

    def find(self, agent: AgentName, principal: PrincipalId, key: Key) -> SessionId | None:
        """The session that was known by this key, if it sleeps."""
        found = self._registry.find(agent, principal, (key,))
        return None if found is None else found.entry.binding.session

    def lay_down(self, entries: Sequence[Stored]) -> None:
        """These are on record: each waits for its client as long as its manifest holds one."""
        now = self._host.house.loop.time()
        for entry in entries:
            manifest = self._host.rules.agents.get(entry.agent)
            self._lay(Sleeper(entry, now + (manifest.migration.hold if manifest else 0.0)))

    def inherit(self, entry: Stored, journals: Journals | None, lasts: float) -> None:
        """It was a predecessor's until now (runtime/succession). lasts: for how many seconds it waits for its client;
        journals: None if the store has them."""
        self._host.house.store.adopt(entry)
        self._lay(Sleeper(entry, self._host.house.loop.time() + lasts, journals))

    def _lay(self, sleeper: Sleeper) -> None:
        entry = sleeper.entry
        self.sleepers[entry.binding.session] = sleeper
        self._registry.learn(sleeper, [Key(kind, value) for kind, value in entry.keys])
        if entry.agent in self._host.rules.agents:
            self._host.house.roster.ledger.enter(entry.principal, limit=2**31)

    def forsake(self, session: SessionId) -> Sleeper | None:
        """It is another process's from here on; None: it does not sleep here, or its client is back already."""
        sleeper = self.sleepers.get(session)
        if sleeper is None or sleeper.waiters:
            return None
        self._forget(sleeper)
        if sleeper.entry.agent in self._host.rules.agents:
            self._host.house.roster.ledger.leave(sleeper.entry.principal)
        return sleeper

    def wake(self, session: SessionId, waiter: Waiter) -> None:
        """The client is back: read what the store has of the session, and go on."""
        sleeper = self.sleepers[session]
        sleeper.waiters.append(waiter)
        if len(sleeper.waiters) == 1:
            self._host.house.spawn("wake", self._wake(sleeper))

    async def _wake(self, sleeper: Sleeper) -> None:
        session = sleeper.entry.binding.session
        try:
            journals = sleeper.journals or await self._host.house.store.journals(session)
        except StoreError:
            waiters, sleeper.waiters = sleeper.waiters, []
            for waiter in waiters:
                waiter.refuse(Refusal(503, "store", "the session cannot be read now", retry_after=1))
            return
        waiters, sleeper.waiters = [waiter for waiter in sleeper.waiters if not waiter.gone], []
        if waiters:
            self._forget(sleeper)
            self._rise(sleeper.entry, waiters, journals)

    def take_in(self, entry: Stored, journals: Journals, waiter: Waiter) -> None:
        """This dialog was another edge's until now, and its client is here."""
        if self._host.rules.agents.get(entry.agent) is not None:
            self._host.house.roster.ledger.enter(entry.principal, limit=2**31)
        self._rise(entry, [waiter], journals)

    def _rise(self, entry: Stored, waiters: Sequence[Waiter], journals: Journals) -> None:
        """The first client that came back has the dialog made again; the others join it."""
        session, manifest = entry.binding.session, self._host.rules.agents.get(entry.agent)
        for number, waiter in enumerate(waiters):
            try:
                self._host.house.revocations.check_session(session)
                self._host.house.revocations.check(entry.principal, None)
                if manifest is None:
                    raise Refusal(404, "session_gone", "its agent is no longer served here")
                if number == 0:
                    waiter.go_on(entry, manifest, journals)
                else:
                    waiter.join(session)
            except Refusal as refused:
                waiter.refuse(refused)
                if number == 0:
                    self._host.house.store.remove(session)
                    if manifest is None:
                        record.write_absent(self._host.house, entry, "agent_gone", self._host.records)
                    else:
                        self._host.house.roster.ledger.leave(entry.principal)
                        record.write_absent(self._host.house, entry, "unreadable", self._host.records)

    def _forget(self, sleeper: Sleeper) -> None:
        del self.sleepers[sleeper.entry.binding.session]
        self._registry.forget(sleeper)

    def expire(self) -> list[Stored]:
        """Those whose clients did not come back in time; they are forgotten."""
        now = self._host.house.loop.time()
        return self._give_up([found for found in self.sleepers.values() if now >= found.until and not found.waiters])

    def dismiss(self, unwanted: Callable[[Stored], bool]) -> list[Stored]:
        """Those that may not come back; they are forgotten. One whose client is back already is judged as it wakes."""
        found = self.sleepers.values()
        return self._give_up([sleeper for sleeper in found if unwanted(sleeper.entry) and not sleeper.waiters])

    def _give_up(self, sleepers: Sequence[Sleeper]) -> list[Stored]:
        for sleeper in sleepers:
            self._forget(sleeper)
            self._host.house.store.remove(sleeper.entry.binding.session)
            if self._host.rules.agents.get(sleeper.entry.agent) is not None:
                self._host.house.roster.ledger.leave(sleeper.entry.principal)
        return [sleeper.entry for sleeper in sleepers]


def restore(dialog: Dialog, entry: Stored, journals: Journals) -> None:
    """Put a dialog back as the store knows it: parked, its owner's leg gone with the edge before."""
    dialog.binding = entry.binding
    # The edge that had it may have told nodes of epochs that are not on record: where edges share the store, what is
    # begun here is above them (Hall.dialog).
    dialog.last_epoch = max(dialog.last_epoch, entry.binding.epoch)
    dialog.checkpoint = entry.checkpoint
    dialog.client, dialog.node = ClientSide.AWAY, NodeSide.WAITING
    dialog.recovered = dialog.account.recovered = True
    _refill(dialog.inbound, *journals.from_client)
    _refill(dialog.outbound, *journals.from_node)
    if entry.checkpoint is not None:
        # There were that many at least: the node has them, and will not say its own again.
        for relay, covered in ((dialog.inbound, entry.checkpoint.received), (dialog.outbound, entry.checkpoint.sent)):
            if covered > relay.count:
                _refill(relay, covered + 1, ())
    dialog.passed = dialog.inbound.count


def _refill(relay: Relay, first: int, messages: Sequence[bytes]) -> None:
    relay.journal.restart(first)
    for message in messages:
        relay.journal.insist(message, 0, len(message))
    relay.journal.take()  # the store has them
    relay.count = relay.journal.last
