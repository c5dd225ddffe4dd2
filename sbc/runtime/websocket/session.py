"""A session over WebSocket: one connection of the client, one of its owner, and the relays between them."""

import base64
import math
import os
from collections.abc import Mapping, Sequence
from functools import partial
from sys import intern
from typing import Any

from sbc.core.dialog import Dialog
from sbc.core.frames import Fault, Opcode, payload_of, read_close
from sbc.core.seal import NONCE_BYTES
from sbc.core.turnstile import Whose
from sbc.model.commands import Answer
from sbc.model.errors import CloseCode, Refusal
from sbc.model.events import ClientBye, ClientLost, EndOrdered
from sbc.model.http import Request
from sbc.model.identity import Identity
from sbc.model.interfaces import Stored
from sbc.model.policy import Policy
from sbc.model.route import Hello
from sbc.protocols.protocol import Turns
from sbc.runtime.house import House
from sbc.runtime.review import Ousted, Review, refusal_of
from sbc.runtime.session import Session
from sbc.runtime.websocket.legs import Legs
from sbc.runtime.websocket.opening import Opening, answer_headers
from sbc.runtime.websocket.throttle import Throttle
from sbc.runtime.websocket.turns import Attention
from sbc.transports.websocket import Doorstep
from sbc.wire.link import Link, Pause

SWEEP = 1.0
"""How often every link is looked at, in seconds."""

ANSWER_BYTES = 512 * 1024
"""How much of a journal one answer to a node holds, well below what a trunk may queue."""


class WebSocketSession(Session):
    """A dialog between two links."""

    __slots__ = ("_early", "_listener", "_seen", "_turns", "address", "client", "door", "identity", "page")

    legs: Legs

    def __init__(self, house: House, dialog: Dialog, policy: Policy, record: Stored, opened: Opening,
                 turns: Turns | None) -> None:  # fmt: skip
        """opened: what is kept of the client's hello; turns: what its protocol hears of the messages, if anything."""
        super().__init__(house, dialog, policy, record)
        self.legs = Legs(self, opened)
        self.door: Doorstep | None = None
        """The client that waits for its answer."""
        self.client: Link | None = None
        self._turns = None if turns is None else Attention(self, turns, policy.limits.message, house.loop)
        self.identity: Identity | None = None
        """By what it is proven who the client is; None: it was not asked."""
        self.address = self.page = ""
        """From where the client is here, and from a page of which origin; the latter empty: of none."""
        self._listener = ""
        """Through which one it came."""
        self._seen = 0
        """The last seat that carried the session."""
        self._early = b""
        """What the client sent along with its hello."""

    def settle(self) -> None:
        if self._early and self.client is not None:
            early, self._early = self._early, b""  # fed only now that the node's leg is wired too
            self.client.data_received(early)
            if self.closed is not None:
                return  # it was no WebSocket: the session has ended by it, and was seen to
        if self._turns is not None:
            self._follow(self._turns)
        super().settle()

    def _follow(self, turns: Attention) -> None:
        """Keep what is known of its turns true."""
        if self.closed is not None:
            turns.stop()
        elif self.legs.serving not in (0, self._seen):
            before, self._seen = self._seen, self.legs.serving
            if before:
                turns.moved()

    # Orders.

    def refuse(self, refusal: Refusal) -> None:
        door, self.door = self.door, None
        if door is not None:
            door.refuse(refusal)

    def replace_client(self) -> None:
        self.close_client(CloseCode.REPLACED, "resumed elsewhere")

    def park(self) -> None:
        self.legs.wire()

    def answer(self, order: Answer) -> None:
        door, self.door = self.door, None
        if door is None:
            return
        legs, dialog = self.legs, self.dialog
        token = self.house.seal.seal(dialog.session, self.record.principal, os.urandom(NONCE_BYTES))
        protocol = legs.protocol if legs.protocol in door.protocols else None
        if dialog.manifest.mark is not None:
            door.mark(dialog.manifest.mark)
        headers = answer_headers(order, token, protocol, legs.deflate, dialog.inbound.count, self.good_until)
        self.client, early = door.admit(headers, self)
        if self.meter is not None:
            tenant = self.identity.tenant if self.identity is not None else ""
            self.meter.count_for(
                Whose(self.policy.name, self.record.agent, self.record.principal, self.address, tenant))
            Throttle(self, self.meter).watch(self.client)
        dialog.inbound.restart(deflate=legs.deflate)
        legs.wire()
        self.house.metrics.admissions["admitted" if order.resumed is None else "reattached"] += 1
        if legs.to_client is not None:
            legs.to_client.begin_with(order.replay, first=0)
        elif order.replay:
            self.client.write(b"".join(order.replay))
        self.house.metrics.lost += order.gap
        self._early = early

    def close_client(self, code: int, reason: str) -> None:
        if code not in (CloseCode.REPLACED, CloseCode.RESTART):  # with these it goes on, maybe at another edge
            self.legs.flush()
        client, self.client = self.client, None
        if client is not None:
            client.close(code, reason)

    # What happens on the links.

    def attend(self, link: Link) -> None:
        """A relay has something to be seen to: control frames, a broken protocol, a journal that is full."""
        relay = link.relay
        if relay is None:
            return
        relay.attention = False
        if self._turns is not None:
            self._turns.look()
        notices, relay.notices = relay.notices, []
        for opcode, payload in notices:
            if opcode == Opcode.PING:
                self._pong(link, payload)
            elif opcode == Opcode.CLOSE:
                self._said_goodbye(link, *read_close(payload))
                return
        if relay.fault is not None:
            self._broke_protocol(link, relay.fault.code, relay.fault.reason)
        elif relay.journal.octets > relay.journal.limit:
            link.pause(Pause.CROWDED)
        elif link is self.client:  # it began to wait: it goes before those that say nothing
            self.legs.catch_up()
            self.turn.hurry()

    def _pong(self, link: Link, payload: bytes) -> None:
        sluice = self.legs.to_node
        if sluice is not None and link is self.client:
            # Clients take it for the edge's word that it has what they said before.
            sluice.afterwards(partial(link.control, Opcode.PONG, payload))
        else:
            link.control(Opcode.PONG, payload)

    def _said_goodbye(self, link: Link, code: int, reason: str) -> None:
        link.finish(code, "")
        if link is not self.client:
            self.legs.gone(link, code, reason)
            return
        self.client = None
        # RFC 6455 section 7.4.1: 1001 is a page that is left, or a device that sleeps. It may come back.
        self.tell(ClientLost() if code == CloseCode.GOING_AWAY else ClientBye(code, reason))

    def _broke_protocol(self, link: Link, code: CloseCode, reason: str) -> None:
        side = "client" if link is self.client else "node"
        kind = f"{side}_{code.name.lower()}"
        self.house.metrics.abuse[kind] += 1
        if link is self.client:
            self.house.constable.blame(kind, self.address, self._listener)
        self.house.announce("protocol_broken", {"session": self.dialog.session, "leg": side, "code": int(code),
                                                "reason": reason})
        if link is self.client:
            self.expel(code, reason)
            return
        link.close(code, reason)
        self.legs.gone(link, CloseCode.ABNORMAL, reason)

    def lose_client(self) -> None:
        """The client gives no sign of life: let its connection go; it may return."""
        client, self.client = self.client, None
        if client is not None:
            client.abort()
            self.tell(ClientLost())

    def expel(self, code: CloseCode, reason: str) -> None:
        """End the session for something its client did, or did not do."""
        self.close_client(code, reason)
        self.tell(EndOrdered(code, reason, "expelled"))

    def abandon(self, retry_after: int = 1) -> None:
        door, self.door = self.door, None
        if door is not None:
            door.refuse(Refusal(503, "stopping", "this edge is being stopped", retry_after=1))
        self.legs.flush()
        self.close_client(CloseCode.RESTART, f"retry_after={retry_after}")
        for link in self.legs.links:
            link.close(CloseCode.GOING_AWAY, "edge stops")
        self.stop_timer()

    def link_lost(self, link: Link) -> None:
        """A connection broke without a word."""
        if link is self.client:
            self.client = None
            self.tell(ClientLost())
        else:
            self.legs.gone(link, CloseCode.ABNORMAL, "")

    def said(self, after: int) -> Sequence[Mapping[str, Any]]:
        journal = self.dialog.outbound.journal
        messages: list[dict[str, Any]] = []
        size = 0
        for number, message in enumerate(journal.since(after), max(after + 1, journal.first)):
            try:
                is_text, payload = payload_of(message, self.policy.limits.message)
            except Fault:
                continue  # compressed, and not well: nobody can read it, the client neither
            said = {"text": payload.decode()} if is_text else {"base64": base64.b64encode(payload).decode()}
            messages.append({"seq": number, **said})
            size += len(payload)
            if size > ANSWER_BYTES:
                break
        return messages

    # The sweep.

    def show(self, hello: Hello, identity: Identity | None) -> None:
        """The client is here, by this hello. identity: by what it is proven who it is; None: it was not asked."""
        self.identity = identity
        self.good_until = math.inf if identity is None else identity.good_until
        self.address, self.page = hello.client, intern(hello.header(b"origin") or "")
        self._listener = hello.listener

    def prove(self, identity: Identity) -> None:
        super().prove(identity)
        self.identity = identity

    def oust(self, why: Ousted) -> None:
        if self.client is not None:
            self.house.metrics.abuse[why.value] += 1
            self.expel(CloseCode.POLICY, why.value)
        elif self.door is not None:
            self.refuse(refusal_of(why))
            self.tell(ClientLost())

    def review(self, review: Review) -> int:
        if self.client is None and self.door is None:
            return 0  # it is judged when it comes back
        opened = self.legs.opened
        fields = [(b"origin", self.page.encode("latin-1"))] if self.page else []
        asked = Request(b"GET", opened.target.encode("latin-1"), opened.host.encode("latin-1"), fields,
                        client=self.address)  # fmt: skip
        why = review.verdict(asked, self.record.principal, self.identity)
        if why is None:
            return 0
        self.oust(why)
        return 1

    def look(self, elapsed: float) -> None:
        limits, client = self.policy.limits, self.client
        if client is not None and not _lives(client, limits.ping, elapsed):
            self.lose_client()
        elif client is not None and self.idle_for(elapsed) >= limits.idle:
            self.house.metrics.abuse["idle"] += 1
            self.expel(CloseCode.POLICY, "idle")
        for link in self.legs.links:
            # A node that takes no more for now cannot be asked either; its trunk or its probes tell how it is.
            if not link.congested and not _lives(link, limits.ping, elapsed):
                link.abort()
                self.legs.gone(link, CloseCode.ABNORMAL, "silent")


def _lives(link: Link, ping: float, elapsed: float) -> bool:
    """Whether a link gives signs of life; one that is silent is asked for one."""
    if link.heard or link.pauses:
        link.heard = False
        link.quiet = 0.0
        return True
    before, link.quiet = link.quiet, link.quiet + elapsed
    if before < ping <= link.quiet:
        link.control(Opcode.PING, b"")
    # Whoever was asked has a whole look to answer, however often it is asked.
    return link.quiet < max(2 * ping, ping + 2 * SWEEP)
