"""One live session: carries out what its dialog orders, and tells it what happens on its links.

Everything is a call from the event loop; no session has a task of its own, and an idle one costs only its objects.
"""

import asyncio
import os
import time
from typing import assert_never

from sbc.core.dialog import Dialog
from sbc.core.frames import Opcode, read_close
from sbc.core.seal import NONCE_BYTES
from sbc.core.transitions import receive
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
)
from sbc.model.errors import CloseCode, Conflict, Refusal
from sbc.model.events import BindFailed, BindLost, Bound, ClientBye, ClientLost, DeadlinePassed, Event
from sbc.model.interfaces import Stored
from sbc.model.policy import Policy
from sbc.runtime import signalling
from sbc.runtime.house import House
from sbc.runtime.legs import Legs
from sbc.runtime.opening import Opening, answer_headers
from sbc.runtime.turn import Turn
from sbc.transports.websocket import Doorstep
from sbc.wire.link import Link, Pause


class Session:
    """A dialog with everything around it that does I/O."""

    __slots__ = (
        "_armed", "_busy", "_early", "_events", "_idle", "_passed", "_timer", "client", "closed", "dialog", "door",
        "house", "legs", "policy", "record", "turn",
    )  # fmt: skip

    def __init__(self, house: House, dialog: Dialog, policy: Policy, record: Stored, opened: Opening) -> None:
        """record: what the store knows of it, or is to be told."""
        self.house = house
        self.dialog = dialog
        self.policy = policy
        self.record = record
        self.legs = Legs(self, opened)
        self.turn = Turn(self)
        self.door: Doorstep | None = None
        """The client that waits for its answer."""
        self.client: Link | None = None
        self.closed: Close | None = None
        self._early = b""
        """What the client sent along with its hello."""
        self._events: list[Event] = []
        self._idle = 0.0
        self._passed = 0
        self._busy = False
        self._armed: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, event: Event) -> None:
        """Tell the dialog a fact and carry out what it orders. Facts that come meanwhile wait for their turn."""
        self._events.append(event)
        if not self._busy:
            self.start([])

    def start(self, commands: list[Command]) -> None:
        """Carry out the first orders of a new dialog, and whatever they lead to."""
        self._busy = True
        try:
            for command in commands:
                self._perform(command)
            while self._events:
                for command in receive(self.dialog, self._events.pop(0), time.monotonic()):
                    self._perform(command)
        finally:
            self._busy = False
        self.settle()

    def settle(self) -> None:
        """After orders were carried out: end the turn, set the timer, and leave if it is over."""
        self.turn.end()
        if self._early and self.client is not None:
            early, self._early = self._early, b""  # fed only now that the node's leg is wired too
            self.client.data_received(early)
        deadline = self.dialog.deadline
        if deadline == self._armed and self.closed is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed, self._timer = deadline, None
        if deadline is not None:
            self._timer = self.house.loop.call_at(deadline, self._ring)
        if self.closed is not None:
            self.house.closed(self.dialog.session)

    def _ring(self) -> None:
        self._armed = self._timer = None
        self.tell(DeadlinePassed())

    # Orders.

    def _perform(self, command: Command) -> None:
        match command:
            case Bind():
                self._bind(command)
            case Invite() | OpenLeg():
                self.turn.take(command)
            case Release() | Promote() | CheckpointNow():
                signalling.carry_out(self, command)
            case CloseLeg():
                self.legs.close(command)
            case FreezeNode():
                self.legs.freeze()
            case Serve():
                self.legs.serve(command)
            case Answer():
                self._answer(command)
            case Refuse():
                door, self.door = self.door, None
                if door is not None:
                    door.refuse(command.refusal)
            case ReplaceClient():
                self._part_with_client(CloseCode.REPLACED, "resumed elsewhere")
            case Park():
                self.legs.wire()
            case CloseClient():
                self._part_with_client(command.code, command.reason)
            case Trim():
                self.house.store.checkpoint(self.dialog.session, command.checkpoint)
            case Report():
                signalling.report(self, command)
            case Close():
                self.closed = command
            case _:
                assert_never(command)

    def _bind(self, order: Bind) -> None:
        def done(error: Exception | None) -> None:
            if error is None:
                self.tell(Bound(order.binding))
            elif isinstance(error, Conflict):
                self.tell(BindLost())
            else:
                self.tell(BindFailed())

        if order.expected is None:
            self.house.store.create(signalling.stored(self, order.binding), done)
        else:
            self.house.store.rebind(order.binding, order.expected, done)

    def _answer(self, order: Answer) -> None:
        door, self.door = self.door, None
        if door is None:
            return
        legs, dialog = self.legs, self.dialog
        token = self.house.seal.seal(dialog.session, self.record.principal, os.urandom(NONCE_BYTES))
        protocol = legs.protocol if legs.protocol in door.protocols else None
        headers = answer_headers(order, token, protocol, legs.deflate, dialog.inbound.count)
        self.client, early = door.admit(headers, self)
        dialog.inbound.restart(deflate=legs.deflate)
        legs.wire()
        self.house.metrics.admissions["admitted" if order.resumed is None else "reattached"] += 1
        if order.replay:
            self.client.write(b"".join(order.replay))
        self.house.metrics.lost += order.gap
        self._early = early

    def _part_with_client(self, code: int, reason: str) -> None:
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
        notices, relay.notices = relay.notices, []
        for opcode, payload in notices:
            if opcode == Opcode.PING:
                link.control(Opcode.PONG, payload)
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
        self.house.metrics.abuse[f"{side}_{code.name.lower()}"] += 1
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

    def idle_for(self, elapsed: float) -> float:
        """For how many seconds no message has passed; elapsed: since this was asked last."""
        passed = self.dialog.inbound.count + self.dialog.outbound.count
        self._idle = self._idle + elapsed if passed == self._passed else 0.0
        self._passed = passed
        return self._idle

    def expel(self, code: CloseCode, reason: str) -> None:
        """End the session for something its client did, or did not do."""
        self._part_with_client(code, reason)
        self.tell(ClientBye(code, reason))

    def abandon(self) -> None:
        """The edge stops, and the store knows the session: let go of both sides, but do not end it."""
        door, self.door = self.door, None
        if door is not None:
            door.refuse(Refusal(503, "stopping", "this edge is being stopped", retry_after=1))
        self._part_with_client(CloseCode.RESTART, "retry_after=1")
        for link in self.legs.links:
            link.close(CloseCode.GOING_AWAY, "edge stops")
        if self._timer is not None:
            self._timer.cancel()

    def link_lost(self, link: Link) -> None:
        """A connection broke without a word."""
        if link is self.client:
            self.client = None
            self.tell(ClientLost())
        else:
            self.legs.gone(link, CloseCode.ABNORMAL, "")
