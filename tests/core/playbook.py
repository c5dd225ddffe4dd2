"""Scripts for the dialog: what happens when, and which orders have to follow.

    play(dialog, (1.0, LegClosed(1, 1006, ""), [CloseLeg(...), Bind(...)]), (1.2, Bound(binding), [Invite(...)]))
"""

from collections.abc import Sequence
from difflib import ndiff
from typing import Any

import pytest

from sbc.core.dialog import Dialog, Seat
from sbc.core.frames import Opcode, build
from sbc.core.journal import Journal
from sbc.core.relay import Relay, Tally
from sbc.core.roster import Roster
from sbc.core.seating import start
from sbc.core.transitions import receive
from sbc.model.binding import Binding, Checkpoint
from sbc.model.commands import Bind, Command
from sbc.model.events import Accepted, Bound, Checkpointed, Event, LegOpened
from sbc.model.ids import AgentName, NodeId, SessionId
from sbc.model.manifest import Manifest, Migration
from tests.core.world import POOL, roster_of

SESSION = SessionId("s-1")
MASK = b"\x01\x82\x03\xff"
Step = tuple[float, Event, Sequence[Command] | None]


def play(dialog: Dialog, *steps: Step) -> None:
    """Tell the dialog each fact at its time; the orders have to be just these. None: any orders."""
    for number, (now, event, expected) in enumerate(steps, 1):
        commands = receive(dialog, event, now)
        if expected is not None and commands != list(expected):
            lines = ndiff([str(command) for command in expected], [str(command) for command in commands])
            raise AssertionError(f"step {number}, at {now}: {event}\n" + "\n".join(lines))


def about(seconds: float) -> Any:
    """A duration in an expected order, free of rounding."""
    return pytest.approx(seconds)


def new_dialog(
    migration: Migration | None = None, *, nodes: int = 3, roster: Roster | None = None, journal: int = 1 << 16
) -> Dialog:
    """A dialog that has not begun, among nodes pool/n0, pool/n1, ... with trunks and checkpoints."""
    manifest = Manifest(AgentName("agent"), POOL, migration=migration or Migration())
    tally = Tally()
    inbound = Relay(Journal(journal), tally, masked=True, limit=4096)
    outbound = Relay(Journal(journal), tally, masked=False, limit=4096)
    return Dialog(SESSION, manifest, roster or roster_of(nodes), inbound, outbound, 0.0)


def confirmed(
    migration: Migration | None = None, *, nodes: int = 3, roster: Roster | None = None, journal: int = 1 << 16
) -> Dialog:
    """A dialog whose session is open since the time 0."""
    dialog = new_dialog(migration, nodes=nodes, roster=roster, journal=journal)
    start_of(dialog)
    if owner(dialog).trunk:
        play(dialog, (0.0, Accepted(owner(dialog).number), None))
    play(dialog, (0.0, LegOpened(owner(dialog).number), None))
    return dialog


def start_of(dialog: Dialog) -> None:
    """A client asks for a session, and the store takes its first binding."""
    (bind,) = start(dialog, 0.0)
    assert isinstance(bind, Bind)
    play(dialog, (0.0, Bound(bind.binding), None))


def owner(dialog: Dialog) -> Seat:
    assert dialog.owner is not None
    return dialog.owner


def target(dialog: Dialog) -> Seat:
    """The seat that a planned move leads to."""
    assert dialog.move is not None and dialog.move.target is not None
    return dialog.move.target


def binding(dialog: Dialog) -> Binding:
    assert dialog.binding is not None
    return dialog.binding


def others(dialog: Dialog) -> list[NodeId]:
    """The nodes that do not own the session."""
    return [standing.node.id for standing in dialog.roster if standing.node.id != owner(dialog).node]


def claim(dialog: Dialog, seat: Seat, expected: int | None) -> Bind:
    """The compare-and-set that gives the session to this seat."""
    replica = dialog.roster.replica_for(SESSION, dialog.manifest, seat.node)
    return Bind(Binding(SESSION, seat.node, replica, seat.epoch), expected)


def asked(text: str) -> bytes:
    """A client message as it stands on the wire."""
    return build(Opcode.TEXT, text.encode(), MASK)


def said(text: str) -> bytes:
    """A node message as it stands on the wire."""
    return build(Opcode.TEXT, text.encode(), None)


def exchange(dialog: Dialog, messages: int, answers: int) -> None:
    """The client says so many messages, and the owner so many."""
    for _ in range(messages):
        dialog.inbound.admit(asked(f"q{dialog.inbound.count + 1}"))
    for _ in range(answers):
        dialog.outbound.admit(said(f"a{dialog.outbound.count + 1}"))


def checkpointed(dialog: Dialog, received: int, sent: int, state: str = "") -> Checkpointed:
    """The owner's word that it has made so much durable."""
    seat = owner(dialog)
    return Checkpointed(seat.node, seat.epoch, Checkpoint(received, sent, state))
