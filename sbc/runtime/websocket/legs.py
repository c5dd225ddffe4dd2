"""The node legs of a session: opened, wired to the client's link, closed. At most three at a time."""

import time
from typing import Protocol

from sbc.core.dialog import ClientSide, Dialog
from sbc.core.journal import Journal
from sbc.core.relay import Gate, Relay
from sbc.model.commands import CloseLeg, OpenLeg, Serve
from sbc.model.events import Event, LegClosed, LegOpened, LegRefused
from sbc.model.ids import PrincipalId
from sbc.model.leg import Role
from sbc.model.manifest import Continuity
from sbc.model.policy import Policy
from sbc.nodes.link import Approach, Failed, Opened
from sbc.nodes.tunnel import Tunnel
from sbc.runtime.clerk import Notary
from sbc.runtime.house import House
from sbc.runtime.pace import waited_for
from sbc.runtime.websocket.opening import Opening, dial
from sbc.runtime.websocket.sluice import Sluice
from sbc.wire.link import Link, LinkOwner, Pause


class Owner(LinkOwner, Protocol):
    """The session, as its legs see it."""

    house: House
    dialog: Dialog
    policy: Policy
    client: Link | None

    @property
    def proven(self) -> PrincipalId | None: ...

    def tell(self, event: Event) -> None: ...


class Legs:
    """Seat number -> what stands there: an approach under way, or a link."""

    __slots__ = ("_seats", "_session", "_untold", "deflate", "opened", "protocol", "rest", "serving", "to_client",
                 "to_node")

    def __init__(self, session: Owner, opened: Opening) -> None:
        self._session = session
        self._seats: dict[int, Approach | Tunnel | Link] = {}
        self.opened = opened
        self.serving = 0
        """The seat whose link carries the session; 0: none."""
        self.protocol: str | None = None
        self.deflate = False
        self._untold: list[LegClosed] = []
        """What waits for its turn in a burst."""
        self.rest = b""
        """What the node that serves next sent along with its 101."""
        inbound, outbound = session.dialog.inbound.clerk, session.dialog.outbound.clerk
        self.to_node = Sluice(inbound) if isinstance(inbound, Notary) else None
        self.to_client = Sluice(outbound) if isinstance(outbound, Notary) else None
        """What messages go by that the store has to have first."""

    @property
    def link(self) -> Link | None:
        """The link that carries the session."""
        stands = self._seats.get(self.serving)
        return stands if isinstance(stands, Link) else None

    @property
    def links(self) -> list[Link]:
        return [stands for stands in self._seats.values() if isinstance(stands, Link)]

    def open(self, order: OpenLeg) -> None:
        """Dial a node."""
        session = self._session
        standing = session.house.roster.get(order.node)
        if standing is None:
            session.tell(LegRefused(order.seat, 0, "node gone"))
            return
        dialog = session.dialog
        wanted = dial(order, standing.node, self.opened, dialog.session, dialog.manifest, session.proven)
        pool = session.house.pool
        self._seats[order.seat] = pool.approach(
            standing.node, wanted, session, order.seat, lambda outcome: self._arrived(order, outcome)
        )

    def _arrived(self, order: OpenLeg, outcome: Opened | Failed) -> None:
        session = self._session
        if isinstance(outcome, Failed):
            self._seats.pop(order.seat, None)
            if outcome.status == 0:
                session.house.signals.refused(order.node)
            session.house.announce("leg_failed", {
                "session": session.dialog.session, "node": order.node, "status": outcome.status,
                "why": outcome.reason,
            })  # fmt: skip
            session.tell(LegRefused(order.seat, outcome.status, outcome.reason))
            return
        session.house.signals.worked(order.node)
        if not self._agrees(outcome):
            outcome.link.abort()
            self._seats.pop(order.seat, None)
            session.tell(LegRefused(order.seat, 0, "another subprotocol or extension than the session's"))
            return
        self._seats[order.seat] = outcome.link
        if order.role is Role.STANDBY:
            self._let_stand(outcome)
        else:
            outcome.link.pause(Pause.FROZEN)
            self.rest = outcome.rest
        session.tell(LegOpened(order.seat))

    def _agrees(self, outcome: Opened) -> bool:
        """The first leg settles subprotocol and compression: once the client is answered, it knows of no other."""
        if self._session.dialog.client is not ClientSide.JOINING:
            return (outcome.protocol, outcome.deflate) == (self.protocol, self.deflate)
        self.protocol, self.deflate = outcome.protocol, outcome.deflate
        return True

    def _let_stand(self, outcome: Opened) -> None:
        """A standby is read, so that its pings are answered and its end is seen, but it has no say."""
        limit = self._session.policy.limits.message
        silent = Relay(Journal(0), self._session.dialog.outbound.tally, masked=False, limit=limit)
        silent.restart(deflate=self.deflate)
        silent.set_gate(Gate.SHUT)
        outcome.link.join(silent, None)
        if outcome.rest:
            outcome.link.data_received(outcome.rest)

    def serve(self, order: Serve) -> None:
        """From here on the leg of this seat carries the session."""
        session = self._session
        link = self._seats.get(order.seat)
        if not isinstance(link, Link):
            return  # it broke in the same moment: LegClosed is on its way
        if self.serving != order.seat:
            session.dialog.outbound.restart(deflate=self.deflate)
            self.serving = order.seat
        self.wire()
        if self.to_node is not None:
            self.to_node.begin_with(order.replay, first=session.dialog.inbound.count - len(order.replay) + 1)
        elif order.replay:
            link.write(b"".join(order.replay))
        if session.client is not None:
            session.client.resume(Pause.CROWDED)
        rest, self.rest = self.rest, b""
        if rest:
            link.data_received(rest)
        link.resume(Pause.FROZEN)

    def wire(self) -> None:
        """Join the client's link and the link that serves, as far as they are there."""
        session = self._session
        client, link = session.client, self.link
        if client is not None:
            client.join(session.dialog.inbound, link)
        if link is not None:
            link.join(session.dialog.outbound, client)
        if self.to_node is not None and self.to_client is not None:
            self.to_node.join(client, link)
            self.to_client.join(link, client)

    def freeze(self) -> None:
        """Stop reading the link that serves."""
        if self.link is not None:
            self.link.pause(Pause.FROZEN)

    def close(self, order: CloseLeg) -> None:
        """Give a seat up: what still comes from it is stale."""
        stands = self._seats.pop(order.seat, None)
        if order.seat == self.serving:
            self.serving = 0
            self._unwire()
        if isinstance(stands, Link):
            stands.close(order.code, order.reason)
        elif stands is not None:
            stands.drop()

    def flush(self) -> None:
        """Nobody comes back to this session: nothing waits for the store any longer."""
        for sluice in (self.to_node, self.to_client):
            if sluice is not None:
                sluice.flush()

    def let_go(self) -> None:
        self._untold.clear()
        del self._session

    def _hold(self) -> None:
        self._session.dialog.hold()
        self._session.dialog.lost_at = time.monotonic()
        self._unwire()

    def _unwire(self) -> None:
        """What the client says goes nowhere for now."""
        client = self._session.client
        if client is not None:
            client.join(self._session.dialog.inbound, None)
        if self.to_node is not None:
            self.to_node.join(client, None)

    def gone(self, link: Link, code: int, reason: str) -> None:
        """A link broke, or its node closed it."""
        if self._seats.get(link.tag) is link:
            if link.tag == self.serving:
                self._hold()  # at once: what the client says from here on was certainly not sent
            self._untold.append(LegClosed(link.tag, code, reason))
            self._session.house.burst.add(self.catch_up, *self._precedence(link.tag))

    def _precedence(self, seat: int) -> tuple[int, bool]:
        """How soon the loss of a leg has to be seen to: a rank, and whether somebody waits. Standbys come last."""
        dialog = self._session.dialog
        rank = dialog.manifest.continuity.rank
        if dialog.standby is not None and dialog.standby.number == seat:
            return rank + len(Continuity), False
        return rank, waited_for(dialog)

    def catch_up(self) -> None:
        """Tell the dialog of legs that are gone, if that has not been done yet."""
        while self._untold:
            self._session.tell(self._untold.pop(0))
