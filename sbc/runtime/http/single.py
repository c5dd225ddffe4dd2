"""A request that belongs to no session: a dialog that ends with its answer (docs/DESIGN.md section 5.2).

It has a seat on a node for as long as it lasts, and goes to another node while it is not sent, or is safe. Nothing of
it is put on record. Its answer may found a session, for what its client comes back with: a task, a state (`may_begin`).
"""

import math
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from sbc.core.exchange import Fate, Stage
from sbc.core.relocation import relocated
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Response
from sbc.model.ids import NodeId, PrincipalId, SessionId
from sbc.model.manifest import Manifest
from sbc.model.node import Node
from sbc.protocols.protocol import Conversation, Key
from sbc.runtime.house import House
from sbc.runtime.http import waits
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.home import MOST_TRIES, Loss
from sbc.runtime.http.outgoing import outgoing
from sbc.runtime.review import Ousted, Review

TRIES = 3
"""How many nodes a request is offered."""


class Founded(Protocol):
    """The session that an answer has begun."""

    def learned(self, keys: Sequence[Key], *, dispensable: bool) -> None:
        """It is known by these keys too."""


Found = Callable[[NodeId, Sequence[Key]], Founded]
"""Begins a session that is known by these keys, on this node if that can take it."""


class Single:
    """The home of one exchange. Implements Home."""

    __slots__ = ("_alive", "_counted", "_epoch", "_exchange", "_found", "_founded", "_house", "_manifest", "_node",
                 "_proven", "_seated", "_session", "_tried", "conversation", "good_until", "principal")  # fmt: skip

    outbound = None
    """Nothing is counted or kept of it."""

    def __init__(self, house: House, manifest: Manifest, exchange: Exchange, principal: PrincipalId,
                 conversation: Conversation, alive: "set[Single]", found: Found | None = None) -> None:  # fmt: skip
        """principal: who asks. alive: all those that are under way; it is in there until it is over. found: if its
        answer may begin a session."""
        self._found = found
        self._founded: Founded | None = None
        self._house = house
        self._manifest = manifest
        self._exchange = exchange
        self._session = SessionId(secrets.token_hex(16))
        self._node: Node | None = None
        self._counted = False
        """Whether it counts among the sessions, or waits to."""
        self._seated = False
        """Whether its seat on that node is its own, and not the session's that it has founded."""
        self._epoch = 0
        self._tried: frozenset[NodeId] = frozenset()
        """Nodes that failed in a row: one that says something is worth trying all of them again after it."""
        self.principal = principal
        self._proven = False
        """Whether it is proven who asks: then its node is told."""
        self.good_until = math.inf
        """Until when it is proven who asks, in wall-clock seconds."""
        self.conversation = conversation
        self._alive = alive
        alive.add(self)
        exchange.home = self
        exchange.reading.joins(conversation)

    def prove(self, good_until: float) -> None:
        """It is proven who asks. good_until: until when, in wall-clock seconds."""
        self._proven, self.good_until = True, good_until

    def enter(self) -> None:
        """Find a node and send it the request, now or when there is room. Raises Refusal if there is none."""
        usher, manifest = self._house.usher, self._manifest
        if usher.quick(manifest) and self._begin():
            return
        if usher.judge(manifest):
            if not self._begin():
                raise _no_node()
        else:
            self._counted = True
            usher.wait(self._session, manifest, self._come_in, self._turn_away)

    def _begin(self) -> bool:
        self._counted = True
        self._house.usher.take(self._manifest)
        if self._offer():
            self._house.metrics.admissions["single"] += 1
            return True
        self._leave()
        return False

    def _come_in(self) -> None:
        """Its turn has come, and it counts."""
        if self._offer():
            self._house.metrics.admissions["single"] += 1
        else:
            self._turn_away(_no_node())

    def _turn_away(self, refusal: Refusal) -> None:
        self._house.metrics.turned_away(refusal.code)
        self._exchange.refuse(refusal)

    def _offer(self) -> bool:
        chosen = self._house.roster.seat_owner(self._session, self._manifest, self._tried, None)
        if chosen is None:
            return False
        self._node, self._seated = chosen.node, True
        return self._send(chosen.node)

    def _offer_again(self, loss: Loss) -> bool:
        """Nobody else is there. A node that lives and has done nothing may only have been closing a connection (RFC
        9113 section 8.7), and take it on the next one."""
        exchange = self._exchange
        if loss is not Loss.STREAM or exchange.stage is not Stage.WAITING or exchange.attempts >= MOST_TRIES:
            return False
        self._tried = frozenset()
        return self._offer()

    def _send(self, node: Node) -> bool:
        exchange = self._exchange
        exchange.number = 1
        self._epoch += 1
        reading = exchange.reading
        exchange.keep = reading.safe
        if not exchange.begun:
            request = reading.outgoing(outgoing(exchange.request, self._fields()), self.conversation)
            exchange.send(self._house.pool, node, request)
            return True
        wanted = reading.resume(exchange.answer.last_id)
        if wanted is None:
            return False
        request = reading.outgoing(outgoing(wanted[0], self._fields()), self.conversation)
        exchange.ask_for_rest(self._house.pool, node, request, wanted[1])
        return True

    def _fields(self) -> Fields:
        manifest = self._manifest
        fields = [
            (b"session-id", self._session.encode()), (b"session-epoch", b"%d" % self._epoch),
            (b"session-class", manifest.continuity.value.encode()), (b"session-agent", manifest.agent.encode()),
            (b"session-role", b"owner"), (b"session-message", b"1"),
        ]  # fmt: skip
        if self._proven:
            fields.append((b"session-principal", self.principal.encode()))
        return fields

    def _vacate(self) -> None:
        node, self._node = self._node, None
        if node is not None and self._seated:
            self._seated = False
            self._house.roster.vacate(node.id)

    def _leave(self) -> None:
        """It counts no more, nor waits."""
        if self._counted:
            self._counted = False
            self._house.usher.gone(self._session, self._manifest)

    # Home.

    def token(self) -> bytes:
        return b""

    def greeting(self, exchange: Exchange) -> Fields:
        return []

    def learned(self, keys: Sequence[Key], *, dispensable: bool) -> None:
        if self._founded is not None:
            self._founded.learned(keys, dispensable=dispensable)
        elif self._found is not None and self._node is not None:
            if self._seated:  # a full node has room for the session too
                self._seated = False
                self._house.roster.vacate(self._node.id)
            self._founded = self._found(self._node.id, keys)

    def greet(self, exchange: Exchange, response: Response) -> None:
        if self._node is not None:
            relocated(response, self._node.url)

    def read_answer(self, exchange: Exchange, body: bytes) -> None:
        """There is no session to learn anything."""

    def deliver(self, exchange: Exchange, message: bytes) -> bytes:
        self._tried = frozenset()
        return message

    def suppressed(self) -> None:
        """Nothing of it is ever said again."""

    def unknown(self, exchange: Exchange) -> None:
        self._house.metrics.unknown += 1

    def broken(self, exchange: Exchange, loss: Loss) -> None:
        node = self._node
        if node is not None:
            self._tried |= {node.id}
            if loss is Loss.NODE:
                self._house.signals.refused(node.id)
        self._vacate()
        fate = exchange.prospect(replayed=False)
        if fate is not Fate.TELL and len(self._tried) < TRIES and (self._offer() or self._offer_again(loss)):
            return
        if exchange.stage is Stage.WAITING:
            exchange.refuse(_no_node())
        elif loss is Loss.LEAVING:
            exchange.say_farewell()
        else:
            exchange.tell()

    def again(self, exchange: Exchange, after: float) -> None:
        self._house.loop.call_later(after, self._ask_again)

    def _ask_again(self) -> None:
        node, exchange = self._node, self._exchange
        if node is not None and exchange.stage is not Stage.ANSWERED and not self._send(node):
            exchange.tell()

    def client_left(self, exchange: Exchange) -> bool:
        return False

    def over(self, exchange: Exchange) -> None:
        self._alive.discard(self)
        self._vacate()
        self._leave()

    def abandon(self) -> None:
        """The edge stops."""
        exchange = self._exchange
        if exchange.stage is Stage.WAITING:
            exchange.refuse(Refusal(503, "stopping", "this edge is being stopped", retry_after=1))
        elif self.standing:
            exchange.say_farewell()
        else:
            exchange.tell()

    def oust(self, why: Ousted) -> None:
        """Whoever asks is not served any more."""
        waits.oust((self._exchange,), why, self._house.metrics)

    def review(self, review: Review) -> int:
        """Oust whoever would not be let in now; how much that has ended."""
        return waits.review((self._exchange,), review, self.principal, self._house.metrics)

    @property
    def exchange(self) -> Exchange:
        """What it is the home of."""
        return self._exchange

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def standing(self) -> bool:
        """Whether nobody waits for the end of its answer."""
        return self._exchange.begun and self._exchange.reading.standing


def _no_node() -> Refusal:
    return Refusal(503, "no_node", "no node can take the request now", retry_after=1)
