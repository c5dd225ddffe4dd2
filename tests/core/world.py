"""A simulated world around one dialog: a client, agent nodes, a store, and a shell that carries the orders out.

Nothing happens here unless it is asked for: every answer, byte and second waits in a queue until the script delivers
it, early, late, in another order or never (fate.py). What must hold at all times is checked after each event.
"""

from dataclasses import dataclass, field
from typing import assert_never

from sbc.core.dialog import Dialog
from sbc.core.health import Health
from sbc.core.journal import Journal
from sbc.core.relay import Relay, Tally
from sbc.core.roster import Roster, Standing
from sbc.core.seating import start
from sbc.core.transitions import receive
from sbc.model.binding import Binding, Checkpoint
from sbc.model.commands import (
    Answer,
    Bind,
    CheckpointNow,
    Close,
    CloseClient,
    CloseLeg,
    Command,
    FreezeNode,
    Invite,
    OpenLeg,
    Park,
    Promote,
    Refuse,
    Release,
    ReplaceClient,
    Report,
    Serve,
    Trim,
)  # fmt: skip
from sbc.model.events import Checkpointed, DeadlinePassed, Event
from sbc.model.ids import AgentName, NodeId, PoolName, SessionId, node_id
from sbc.model.leg import Role
from sbc.model.manifest import Manifest, Migration
from sbc.model.node import Node, Probe
from tests.core.agents import Agent, answers, split, text_of

POOL = PoolName("pool")
SESSION = SessionId("s-1")


@dataclass(slots=True)
class NodeLeg:
    """The connection of one seat: what is under way on it, each way."""

    agent: Agent
    to_node: list[bytes] = field(default_factory=list)
    to_edge: bytearray = field(default_factory=bytearray)
    broken: bool = False


def roster_of(count: int, *, capacity: int = 100) -> Roster:
    """Nodes pool/n0, pool/n1, ... in two zones, that signal over a trunk and report checkpoints."""
    roster = Roster()
    for number in range(count):
        node = Node(node_id(POOL, f"n{number}"), POOL, "http://127.0.0.1:1", zone=f"z{number % 2}", capacity=capacity)
        roster.put(Standing(node, Health(Probe(), 0.0, beat=0.0, pace=0.2), True, trunk=True, checkpoints=True))
    return roster


class World:
    """One session and everybody it has to do with."""

    def __init__(self, migration: Migration, *, nodes: int = 4, journal: int = 1 << 20) -> None:
        self.now = 100.0
        self.migration = migration
        self.roster = roster_of(nodes)
        self.up = {standing.node.id for standing in self.roster}
        manifest = Manifest(AgentName("agent"), POOL, migration=migration)
        self.tally = Tally()
        inbound = Relay(Journal(journal), self.tally, masked=True, limit=4096)
        outbound = Relay(Journal(journal), self.tally, masked=False, limit=4096)
        self.dialog = Dialog(SESSION, manifest, self.roster, inbound, outbound, self.now)
        self.record: Binding | None = None
        self.on_record: Checkpoint | None = None
        self.binds: list[Bind] = []
        self.invites: list[Invite] = []
        self.opening: dict[int, OpenLeg] = {}
        self.agents: dict[tuple[NodeId, int], Agent] = {}
        self.legs: dict[int, NodeLeg] = {}
        self.trunks: dict[NodeId, list[Checkpointed]] = {node: [] for node in self.up}
        self.serving: int | None = None
        self.frozen = False
        self.owners: dict[int, NodeId] = {}
        self.linked = False
        self.outbox: list[bytes] = []
        self.to_client: list[bytes] = []
        self.said: list[str] = []
        self.expected: list[str] = []
        self._digest = 0
        self.heard = 0
        self.gaps = 0
        self.closed: Close | None = None
        self.reports: list[Report] = []
        self.trace: list[str] = []
        self._carry_out(start(self.dialog, self.now))
        self.check()

    # The shell.

    def tell(self, event: Event) -> None:
        """Tell the dialog a fact, carry out what it orders, and see that all is well."""
        commands = receive(self.dialog, event, self.now)
        self.trace.append(f"{self.now:7.2f} {event}\n" + "".join(f"          -> {command}\n" for command in commands))
        self._carry_out(commands)
        if isinstance(event, DeadlinePassed):
            deadline = self.dialog.deadline
            assert deadline is None or deadline > self.now, "a deadline that stays in the past is a busy loop"
        self.check()

    def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            assert self.closed is None, "an order after Close"
            match command:
                case Bind():
                    assert not self.binds, "two compare-and-sets at once"
                    self._own(command.binding.epoch, command.binding.owner, grown=True)
                    self.binds.append(command)
                case Invite():
                    self._tell_epoch(command.role, command.epoch, command.node)
                    self.invites.append(command)
                case OpenLeg():
                    self._tell_epoch(command.role, command.epoch, command.node)
                    self.opening[command.seat] = command
                case CloseLeg():
                    self.opening.pop(command.seat, None)
                    self.legs.pop(command.seat, None)
                    if self.serving == command.seat:
                        self.serving = None
                case Release():
                    self._release(command)
                case Promote():
                    self._promote(command)
                case FreezeNode():
                    self.frozen = True
                case Serve():
                    self._serve(command)
                case Answer():
                    self._answer(command)
                case ReplaceClient() | CloseClient():
                    self.linked = False
                    self.to_client, self.outbox = [], []
                case Report():
                    self.reports.append(command)
                case Close():
                    self.closed = command
                case Trim():
                    assert command.checkpoint.sent <= self.dialog.outbound.count
                    self.on_record = command.checkpoint
                case Refuse() | Park() | CheckpointNow():
                    pass
                case _:
                    assert_never(command)

    def _tell_epoch(self, role: Role, epoch: int, node: NodeId) -> None:
        if role is Role.OWNER:
            self._own(epoch, node, grown=False)

    def _own(self, epoch: int, node: NodeId, *, grown: bool) -> None:
        """At most one owner an epoch, and epochs only grow."""
        assert self.owners.setdefault(epoch, node) == node, f"two owners in epoch {epoch}"
        assert not grown or epoch == max(self.owners), f"epoch {epoch} after {max(self.owners)}"

    def _release(self, command: Release) -> None:
        for key, agent in list(self.agents.items()):
            if agent.node == command.node and agent.epoch <= command.epoch:
                del self.agents[key]

    def _promote(self, command: Promote) -> None:
        self._own(command.epoch, command.node, grown=False)
        for agent in self.agents.values():
            if agent.node == command.node and agent.role is Role.STANDBY:
                agent.epoch, agent.role = command.epoch, Role.OWNER
                agent.load(command.checkpoint)
                agent.resume(command.resume, self.migration.output)

    def _serve(self, command: Serve) -> None:
        leg = self.legs.get(command.seat)
        assert leg is not None, "served by a seat without a leg"
        if self.serving != command.seat:
            self.dialog.outbound.restart(deflate=False)
        self.serving, self.frozen = command.seat, False
        leg.to_node += command.replay

    def _answer(self, command: Answer) -> None:
        assert not self.linked, "the former link is still there"
        if command.resumed is not None:
            assert command.resumed == self.heard
        self.heard += command.gap
        self.gaps += command.gap
        self.linked = True
        self.to_client, self.outbox = list(command.replay), []
        self.dialog.inbound.restart(deflate=False)

    # The legs' bytes.

    def from_client(self, data: bytes) -> None:
        """Bytes come in from the client."""
        inbound = self.dialog.inbound
        before = inbound.count
        out = inbound.admit(data)
        assert inbound.fault is None
        for _ in range(inbound.count - before):
            text = text_of(self.outbox.pop(0))
            self.said.append(text)
            self._digest, more = answers(self._digest, text)
            self.expected += more
        if out:
            assert self.serving is not None, "a client message was sent to nobody"
            self.legs[self.serving].to_node += split(out, masked=True)

    def from_node(self, seat: int, size: int) -> None:
        """Bytes come in on the leg of a seat, if that leg is read at the moment."""
        leg = self.legs[seat]
        if seat != self.serving or self.frozen:
            return
        data = bytes(leg.to_edge[:size])
        del leg.to_edge[:size]
        out = self.dialog.outbound.admit(data)
        assert self.dialog.outbound.fault is None
        assert self.linked or not out, "a node message was sent to nobody"
        self.to_client += split(out, masked=False)

    def hear(self, count: int) -> None:
        """The client reads messages: each has to be the very next one."""
        for message in self.to_client[:count]:
            assert self.heard < len(self.expected), "the client hears what follows from nothing it said"
            assert text_of(message) == self.expected[self.heard], "the client hears another message than the next"
            self.heard += 1
        del self.to_client[:count]

    # What must always hold.

    def check(self) -> None:
        """Seats in the dialog and in the ledger are the same, and no leg outlives its seat."""
        seats = self.dialog.seats
        for standing in self.roster:
            mine = sum(seat.node == standing.node.id for seat in seats)
            assert self.roster.ledger.seats(standing.node.id) == mine, f"seats of {standing.node.id}"
        numbers = {seat.number for seat in seats}
        assert set(self.legs) | set(self.opening) <= numbers, "a leg nobody knows of"
        assert self.dialog.checkpoint == self.on_record, "a checkpoint that the store was not told of"
        if self.closed is not None:
            assert not seats and self.dialog.deadline is None
