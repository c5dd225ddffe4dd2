"""The node's side of a session made of exchanges: seats without a connection of their own.

A seat is open once a connection to its node stands ready in the pool; who serves is sent the exchanges.
"""

from typing import Protocol, cast

from sbc.core.dialog import Dialog
from sbc.core.exchange import Fate
from sbc.core.relay import Gate
from sbc.model.binding import Resume
from sbc.model.commands import CloseLeg, OpenLeg, Serve
from sbc.model.errors import CloseCode
from sbc.model.events import Event, LegClosed, LegOpened, LegRefused, MoveOrdered
from sbc.model.http import Request
from sbc.model.ids import NodeId, PrincipalId
from sbc.model.leg import Cause
from sbc.model.manifest import Output, Replay
from sbc.protocols.protocol import Conversation
from sbc.protocols.protocol import Protocol as SessionProtocol
from sbc.runtime.house import House
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.handover import Handover
from sbc.runtime.http.home import MOST_TRIES, Loss
from sbc.runtime.http.journal import exchange_of
from sbc.runtime.http.outgoing import Place

OPEN = Gate.OPEN
PROMOTION = "promotion"
"""The cause that a node is told which stood by, whatever became of the owner before."""


class Owner(Protocol):
    """The session, as its legs see it."""

    house: House
    dialog: Dialog
    protocol: SessionProtocol
    conversation: Conversation
    exchanges: dict[Exchange, None]

    @property
    def proven(self) -> PrincipalId | None: ...

    def tell(self, event: Event) -> None: ...

    def go_on(self) -> None: ...

    def make_up(self) -> None: ...

    def send(self, exchange: Exchange, place: Place) -> None: ...

    def lifted(self, request: Request) -> Request: ...


class Places:
    """Seat number -> the place there. Implements NodeLegs."""

    __slots__ = ("_handover", "_inbound", "_places", "_served", "_session", "keeps", "resident", "serving")

    def __init__(self, session: Owner) -> None:
        self._session = session
        self._inbound = session.dialog.inbound
        self._places: dict[int, Place] = {}
        self._handover: Handover | None = None
        """What a new owner is told before it gets anything new."""
        self._served = False
        self.resident: NodeId | None = None
        """After a restart of the edge, until somebody serves: who had the session, and knows it."""
        self.serving = 0
        """The seat that carries the session; 0: none."""
        self.keeps = False
        """Whether requests are kept to be said again to the next owner."""

    def place(self) -> Place | None:
        """Where exchanges are to be sent now; None: nowhere yet."""
        if self._handover is not None or self._inbound.gate is not OPEN:
            return None
        return self._places.get(self.serving)

    def at(self, seat: int) -> Place | None:
        return self._places.get(seat)

    def open(self, order: OpenLeg) -> None:
        session = self._session
        standing = session.house.roster.get(order.node)
        if standing is None:
            session.tell(LegRefused(order.seat, 0, "node gone"))
            return
        place = self._places[order.seat] = Place(standing.node, session.dialog, order, session.proven)

        def done(fault: str) -> None:
            if self._places.get(order.seat) is place:
                self._arrived(order, fault)

        session.house.pool.ready(standing.node, done)

    def _arrived(self, order: OpenLeg, fault: str) -> None:
        session = self._session
        if not fault:
            session.house.signals.worked(order.node)
            session.tell(LegOpened(order.seat))
            return
        del self._places[order.seat]
        session.house.signals.refused(order.node)
        session.house.announce("leg_failed", {
            "session": session.dialog.session, "node": order.node, "status": 0, "why": fault,
        })  # fmt: skip
        session.tell(LegRefused(order.seat, 0, fault))

    def close(self, order: CloseLeg) -> None:
        self._places.pop(order.seat, None)
        if order.seat != self.serving:
            return
        self.serving = 0
        if self._handover is not None:
            self._handover.stop()
            self._handover = None
        for exchange in [found for found in self._session.exchanges if found.seat == order.seat]:
            if exchange.node is not None or exchange.waiting:
                self._leave(exchange)

    def _leave(self, exchange: Exchange) -> None:
        """The node of an exchange is lost: it is owed to the next one, or its client is told that nobody knows."""
        if exchange.prospect(replayed=self.keeps) is Fate.TELL:
            exchange.tell()
        elif not exchange.waiting:
            exchange.wait()

    def freeze(self) -> None:
        for exchange in self._session.exchanges:
            if exchange.node is not None:
                exchange.node.pause()

    def serve(self, order: Serve) -> None:
        place, session = self._places.get(order.seat), self._session
        if place is None:
            return  # it broke in the same moment
        same, self.serving = self.serving == order.seat, order.seat
        if same:
            self._thaw()
            session.go_on()
            return
        dialog, owner = session.dialog, session.dialog.owner
        place.serves(dialog)
        self.keeps = dialog.manifest.migration.replay is Replay.ALL or (owner is not None and owner.checkpoints)
        if self._served or dialog.account.recovered:
            self._skip_what_is_said_again()
            self._tell_from_where(place)
            stays, self.resident = place.node.id == self.resident, None
            self._handover = Handover(session, place, order.replay, self._handed_over, stays=stays)
            self._handover.begin()
        else:
            self._served = True
            session.go_on()

    def _tell_from_where(self, place: Place) -> None:
        ground = self._session.dialog.ground
        if place.resume is None:  # it stood by, and was told nothing yet
            place.goes_on_from(Resume(ground.received, ground.sent, self._session.dialog.outbound.count, PROMOTION))
        if self.keeps and place.resume is not None:
            again = sum(0 < found.number <= ground.received for found in self._session.exchanges)
            place.resume += b", open=%d" % again

    def _skip_what_is_said_again(self) -> None:
        """With `output: regenerate` the new owner says all again that came after its state: the client has it."""
        dialog = self._session.dialog
        if not self.keeps or dialog.manifest.migration.output is not Output.REGENERATE:
            return
        for exchange in self._session.exchanges:
            exchange.answer.skip = exchange.answer.delivered - self.covered(exchange)

    def covered(self, exchange: Exchange) -> int:
        """How many messages of an answer the owner's state covers, of those that the client has."""
        dialog, given = self._session.dialog, exchange.answer.delivered
        ground, journal = dialog.ground, dialog.outbound.journal
        if exchange.number > ground.received:
            return 0
        if ground.answers is not None:
            return min(given, ground.answers.get(exchange.number, given))
        if journal.first - 1 > ground.sent:  # what can still be said if there was one answer at a time
            return max(0, given - (dialog.outbound.count - ground.sent))
        return given - sum(exchange_of(entry) == exchange.number for entry in journal.since(ground.sent))

    def _handed_over(self, fault: str) -> None:
        """The new owner knows all that it has to, or it was lost over it."""
        self._handover = None
        if fault:
            self.lose(self.serving, fault)
            return
        self._session.go_on()
        self._session.make_up()

    def let_go(self) -> None:
        self._places.clear()
        self._session = cast(Owner, None)  # nobody asks for it any more; what is compiled cannot delete an attribute

    def _thaw(self) -> None:
        for exchange in self._session.exchanges:
            if exchange.node is not None and not (exchange.client is not None and exchange.client.congested):
                exchange.node.resume()

    # Losses.

    def broken(self, exchange: Exchange, loss: Loss) -> None:
        """What an exchange had with its node has come to nothing: what becomes of it, and of the node's seat."""
        seat = exchange.seat
        if exchange.attempts >= MOST_TRIES:
            exchange.tell()
        else:
            self._leave(exchange)
        match loss:
            case Loss.LEAVING:
                self._session.tell(MoveOrdered(None, Cause.MIGRATION, 0.0))
            case Loss.MEMORY:
                self.lose(seat, "the node knows nothing of the session", CloseCode.TRY_LATER)
            # A node that is being killed may take connections for a moment still: it is asked once, then left.
            case Loss.STREAM if not self.keeps and exchange.attempts <= 1:
                self._ask_whether_it_lives(seat)
            case _:
                self.lose(seat, "the node's stream broke" if loss is Loss.STREAM else "the node cannot be reached")

    def _ask_whether_it_lives(self, seat: int) -> None:
        """One stream broke: was it the node, or that stream alone?"""
        place, session = self._places.get(seat), self._session
        if place is None or seat != self.serving:
            return
        self._lost_now()

        def done(fault: str) -> None:
            if fault:
                self.lose(seat, fault)
            elif seat == self.serving:
                session.dialog.lost_at = None
                session.go_on()

        session.house.pool.ready(place.node, done)

    def lose(self, seat: int, reason: str, code: int = CloseCode.ABNORMAL) -> None:
        """The node of a seat is lost to the session."""
        place, session = self._places.get(seat), self._session
        if place is None:
            return
        self._lost_now()
        if code == CloseCode.ABNORMAL:
            session.house.signals.refused(place.node.id)
        session.tell(LegClosed(seat, code, reason))

    def _lost_now(self) -> None:
        dialog = self._session.dialog
        if dialog.lost_at is None:
            dialog.lost_at = self._session.house.loop.time()
