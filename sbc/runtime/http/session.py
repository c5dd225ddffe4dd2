"""A session made of HTTP exchanges: pinned to its owner as any other, without a connection of its own.

What a message is, is told by docs/DESIGN.md section 5.4: a request is one to the node, each event or whole answer one
from it.
"""

from functools import partial

from sbc.core.dialog import Dialog
from sbc.core.exchange import WAITING, Fate
from sbc.core.relocation import relocated
from sbc.model.errors import CloseCode, Refusal
from sbc.model.events import ClientBye, Event, MoveOrdered, TurnEnded
from sbc.model.http import Fields, Response
from sbc.model.interfaces import Stored
from sbc.model.policy import Policy
from sbc.model.route import SessionKey
from sbc.protocols.bodies import is_event_stream
from sbc.protocols.protocol import Conversation, Protocol
from sbc.runtime.house import House
from sbc.runtime.http.attended import AttendedSession
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.flow import count, event_entry, keep_event
from sbc.runtime.http.home import MOST_TRIES, Loss
from sbc.runtime.http.journal import request_entry
from sbc.runtime.http.legs import Places
from sbc.runtime.http.outgoing import Place, outgoing
from sbc.runtime.http.rates import whose
from sbc.runtime.http.registry import Registry
from sbc.runtime.http.returns import come_back
from sbc.runtime.http.withheld import withheld

MOST_EXCHANGES = 256
"""Exchanges of one session that may be under way, or wait, at a time."""


class HttpSession(AttendedSession):
    """A dialog whose messages are exchanges. Implements Home for them."""

    __slots__ = ("_ending", "_inbound", "streams")

    def __init__(self, house: House, dialog: Dialog, policy: Policy, record: Stored, protocol: Protocol,
                 conversation: Conversation, key: SessionKey, registry: "Registry[HttpSession]") -> None:  # fmt: skip
        """See KnownSession."""
        super().__init__(house, dialog, policy, record, protocol, conversation, key, registry)
        self.legs = Places(self)
        self._inbound, self.outbound = dialog.inbound, dialog.outbound
        dialog.patient, dialog.answering = True, {}
        self.exchanges = {}
        self.streams: dict[int, tuple[bytes, bool]] = {}
        """Of the last streams that are over: what was asked for, and whether it came to its end."""
        self.withheld, self.newcomers = withheld(self, dialog), None
        self._ending = False
        """Whether the client has ended it by an exchange that is not over yet."""

    def tell(self, event: Event) -> None:
        # What checkpoints cover, and what a new owner is owed, depends on how far each answer has come.
        if self.legs.keeps:
            self.dialog.answering = {found.number: found.answer.delivered for found in self.exchanges if found.number}
        if isinstance(event, MoveOrdered):
            self.dialog.bound = self.bound
        super().tell(event)

    # Exchanges.

    def take(self, exchange: Exchange) -> None:
        """A request of this session: to the owner, as soon as there is one. Raises Refusal."""
        if len(self.exchanges) >= MOST_EXCHANGES:
            raise Refusal(503, "session_busy", f"at most {MOST_EXCHANGES} requests of a session at a time",
                          retry_after=1)  # fmt: skip
        if self.meter is not None:
            self.meter.count_for(whose(self.policy.name, self.record.agent, self.record.principal, exchange))
            self.meter.take(exchange.request.length or 0, self.house.loop.time())
        exchange.home, standing = self, False
        if self.withheld is not None:
            exchange.client = self.withheld.stream(exchange)
        if not exchange.heedless:
            reading = exchange.reading
            if reading.alters:
                reading.joins(self.conversation)
            standing = reading.standing
            if (standing or reading.after is not None) and come_back(self, exchange):
                return
        self.take_up(exchange, standing)
        place = self.legs.place()
        if place is not None:
            self.send(exchange, place)

    def take_up(self, exchange: Exchange, standing: bool) -> None:
        """It is one of those that are under way, and waits for the owner."""
        self.exchanges[exchange] = None
        exchange.home, exchange.waiting = self, True
        self._count(exchange, in_turn=not standing)

    def go_on(self) -> None:
        """Send what waits, if there is an owner to send it to."""
        if self.legs.place() is None:
            return
        for exchange in [found for found in self.exchanges if found.waiting]:
            place = self.legs.place()
            if place is not None and exchange.waiting:
                self.send(exchange, place)

    def send(self, exchange: Exchange, place: Place) -> None:
        """Send an exchange to its node, for the first time or again."""
        legs = self.legs
        keeps = legs.keeps
        if keeps and not exchange.upload.ended and exchange.number == 0:
            # What may have to be said again is kept whole before it is said for the first time.
            exchange.waiting = False
            exchange.collect(self.policy.limits.message, partial(self._have_whole, exchange))
            return
        if exchange.number == 0:
            exchange.number = self._count_request(exchange)
            exchange.keep = keeps or exchange.reading.safe
        if self.withheld is not None and self.withheld.holds(exchange):
            return
        before, exchange.seat = exchange.seat, legs.serving
        if exchange.begun and (not keeps or before == exchange.seat):
            self._ask_for_rest(exchange, place)
            return
        fields = place.fields(exchange.number)
        if keeps and before not in (0, exchange.seat):
            given = exchange.answer.delivered, legs.covered(exchange)
            fields.append((b"session-answered", b"messages=%d, covered=%d" % given))
        request, reading = outgoing(self.known_to_node(exchange), fields), exchange.reading
        if not exchange.heedless and reading.alters:
            request = reading.outgoing(request, self.conversation)
        exchange.send(self.house.pool, place.node, request)

    def _have_whole(self, exchange: Exchange) -> None:
        exchange.waiting = True
        self.go_on()

    def _ask_for_rest(self, exchange: Exchange, place: Place) -> None:
        wanted = exchange.reading.resume(exchange.answer.last_id) if exchange.attempts < MOST_TRIES else None
        if wanted is None:
            exchange.tell()
            return
        request, body = wanted
        request = exchange.reading.outgoing(outgoing(request, place.fields(exchange.number)), self.conversation)
        exchange.ask_for_rest(self.house.pool, place.node, request, body)

    def _count_request(self, exchange: Exchange) -> int:
        keeps, upload, entry = self.legs.keeps, exchange.upload, b""
        if keeps:
            standing = not exchange.heedless and exchange.reading.standing
            entry = request_entry(self.covered(self.known_to_node(exchange)), upload.body, standing)
        count(self._inbound, b"", entry, upload.octets, keeps)
        return self._inbound.count

    def _count(self, exchange: Exchange, *, in_turn: bool) -> None:
        """Keep the dialog informed of what is under way: a planned move waits for the turn's end."""
        if exchange.in_turn is in_turn:
            return
        dialog, exchange.in_turn = self.dialog, in_turn
        dialog.under_way += 1 if in_turn else -1
        if dialog.move is not None and dialog.under_way == 0:
            self.tell(TurnEnded())

    @property
    def bound(self) -> bool:
        keeps = self.legs.keeps
        return any(
            found.in_turn and found.prospect(replayed=keeps, elsewhere=True) is Fate.TELL for found in self.exchanges
        )

    # What happens to exchanges (Home).

    def greet(self, exchange: Exchange, response: Response) -> None:
        place = self.legs.at(exchange.seat)
        if place is not None:
            place.resume = None  # the new owner knows by now from where it goes on
            relocated(response, place.node.url)
        if not exchange.heedless and exchange.reading.outlives and is_event_stream(response):
            self.answer_begins(exchange)
        self.seal_minted(exchange, response)

    def greeting(self, exchange: Exchange) -> Fields:
        if not exchange.heedless:
            self.remember()
            if exchange.reading.standing:
                self._count(exchange, in_turn=False)  # its protocol knows only now what kind of answer it is
        token = self.introduce(exchange)
        return [(b"session-id", token)] if token else []

    def deliver(self, exchange: Exchange, message: bytes) -> bytes:
        return keep_event(self.outbound, exchange, exchange.answer, message)

    def suppressed(self) -> None:
        self.dialog.outbound.tally.suppressed += 1

    def unknown(self, exchange: Exchange) -> None:
        self.dialog.account.unknown += 1
        self.house.metrics.unknown += 1

    def broken(self, exchange: Exchange, loss: Loss) -> None:
        self.legs.broken(exchange, loss)

    def again(self, exchange: Exchange, after: float) -> None:
        exchange.wait()
        self.house.loop.call_later(after, self.go_on)

    def client_left(self, exchange: Exchange) -> bool:
        exchange.quiet, exchange.left_at = 0.0, self.dialog.outbound.count
        if self.legs.keeps and exchange.number and (exchange.waiting or exchange.stage is WAITING):
            return True  # a node that counts would wait for it in vain
        return exchange.reading.outlives and exchange.upload.ended and not self.nobody_knows_it

    def over(self, exchange: Exchange) -> None:
        if self.exchanges.pop(exchange, self) is self:
            return
        if self.meter is not None and exchange.request.length is None:
            self.meter.spend(0, exchange.upload.octets, self.house.loop.time())  # nobody knew how much it would be
        self.answer_ends(exchange)
        if exchange.answer.streams:
            self.streams[exchange.number] = exchange.request.target, exchange.whole
            if len(self.streams) > MOST_EXCHANGES:
                del self.streams[next(iter(self.streams))]
        elif exchange.number and exchange.begun:
            count(self.outbound, event_entry(exchange.number, b""), b"", 0)
        if not exchange.heedless and exchange.reading.ends and 200 <= exchange.answer.status < 300:
            self._ending = True
        self._count(exchange, in_turn=False)
        if self._ending or (not self.exchanges and self.nobody_knows_it):
            self.house.loop.call_soon(self._leave)

    def _leave(self) -> None:
        if self._ending:
            self.tell(ClientBye(CloseCode.NORMAL, "ended by the client"))
        elif not self.exchanges and self.nobody_knows_it:
            self.tell(ClientBye(CloseCode.NORMAL, "its only exchange is over"))

    def make_up(self) -> None:
        """After a handover: tell standing streams what may have been missed."""
        self.remember()
        events = self.conversation.moved()
        for exchange in self.exchanges:
            if events and exchange.begun and exchange.client is not None and exchange.reading.standing:
                exchange.client.send(b"".join([self.deliver(exchange, event) for event in events]))
