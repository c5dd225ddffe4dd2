"""A session's turn on a node: when many have to move, each takes its seat when it is let in (runtime/pace.py)."""

from collections.abc import Callable
from typing import Protocol

from sbc.core.dialog import ClientSide, Step
from sbc.model.commands import CloseLeg, Invite, OpenLeg, Serve
from sbc.model.ids import NodeId
from sbc.model.leg import Cause, Role
from sbc.runtime import signalling
from sbc.runtime.pace import waited_for
from sbc.runtime.signalling import Speaker

STANDBY = 3
"""Added to the rank of a class: a standby comes after all those that have no owner."""


class NodeLegs(Protocol):
    """The node's side of a session."""

    def open(self, order: OpenLeg) -> None:
        """Have a way to a node -> LegOpened | LegRefused."""

    def close(self, order: CloseLeg) -> None:
        """Give a seat up: what still comes from it is stale."""

    def freeze(self) -> None:
        """Stop reading what the owner says."""

    def serve(self, order: Serve) -> None:
        """From here on this seat carries the session."""

    def let_go(self) -> None:
        """The session is over: refer to it no more, so that it is freed at once."""


class Taker(Speaker, Protocol):
    """The session, as its turn sees it."""

    legs: NodeLegs

    def settle(self) -> None:
        """Orders were carried out."""


class Turn:
    """Takes seats by invitation or by opening a leg: at once for a new session, in turn for one that moves."""

    __slots__ = ("_node", "_pace", "_queued", "_session")

    def __init__(self, session: Taker) -> None:
        self._session = session
        self._pace = session.house.pace
        """Whose queue it is."""
        self._node: NodeId | None = None
        """Where this session has its turn."""
        self._queued: tuple[NodeId, Callable[[], bool]] | None = None
        """What waits for its turn, and where."""

    def take(self, order: Invite | OpenLeg) -> None:
        """Have a seat taken."""
        self.end()  # the seat before may have been given up a moment ago
        if self._session.dialog.client is ClientSide.JOINING or self._node == order.node:
            self._perform(order)
            return

        def start() -> bool:
            here = self._queued is not None and self._node is None
            wanted = here and any(seat.number == order.seat for seat in self._session.dialog.seats)
            if wanted:
                self._node = order.node
                self._perform(order)
                self._session.settle()
            return wanted

        outage, house = self._session.dialog.outage, self._session.house
        self._pace = house.returns if outage is not None and outage.cause is Cause.RECOVERY else house.pace
        self._queued = order.node, start
        self._enter(order.node, start, STANDBY if order.role is Role.STANDBY else 0)

    def hurry(self) -> None:
        """The client began to wait: it goes before those whose clients say nothing."""
        if self._queued is not None and self._node is None:
            self._enter(*self._queued, 0)

    def _enter(self, node: NodeId, start: Callable[[], bool], later: int) -> None:
        dialog = self._session.dialog
        self._pace.enter(node, dialog.manifest.continuity.rank + later, waited_for(dialog), start)

    def _perform(self, order: Invite | OpenLeg) -> None:
        if isinstance(order, Invite):
            signalling.carry_out(self._session, order)
        else:
            self._session.legs.open(order)

    def end(self) -> None:
        """Let the next one in, once no seat of this session on that node is being taken any more."""
        if self._node is None:
            return
        taking = (Step.INVITED, Step.OPENING)
        if not any(seat.node == self._node and seat.step in taking for seat in self._session.dialog.seats):
            node, self._node, self._queued = self._node, None, None
            self._pace.leave(node)

    def let_go(self) -> None:
        """The session is over, and so is its turn: refer to it no more, so that it is freed at once."""
        self._queued = None
        del self._session
