"""One live session: carries out what its dialog orders, and tells it what happens around it.

Everything is a call from the event loop; no session has a task of its own, and an idle one costs only its objects.
How a client and a node are spoken to differs: runtime/websocket/ for a connection each, runtime/http/ for exchanges.
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from sbc.core.dialog import Dialog
from sbc.core.meter import meter_of
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
from sbc.model.errors import Conflict, Refusal
from sbc.model.events import BindFailed, BindLost, Bound, DeadlinePassed, Event
from sbc.model.identity import Identity, Tenancy, tenancy
from sbc.model.ids import PrincipalId
from sbc.model.interfaces import Stored
from sbc.model.leg import State
from sbc.model.policy import Policy
from sbc.runtime import signalling
from sbc.runtime.house import House
from sbc.runtime.review import Ousted, Review
from sbc.runtime.turn import NodeLegs, Turn


class Session:
    """A dialog with everything around it that does I/O. Its two kinds say how client and node are spoken to."""

    __slots__ = ("_armed", "_busy", "_events", "_idle", "_passed", "_timer", "closed", "dialog", "good_until", "house",
                 "legs", "meter", "policy", "record", "tenancy", "turn")  # fmt: skip

    legs: NodeLegs

    def __init__(self, house: House, dialog: Dialog, policy: Policy, record: Stored) -> None:
        """record: what the store knows of it, or is to be told."""
        self.house = house
        self.dialog = dialog
        self.policy = policy
        self.record = record
        self.meter = meter_of(policy.limits, house.turnstile)
        """What its client says, if that is limited."""
        self.tenancy: Tenancy | None = None
        """Whose client it is of, where that is counted."""
        self.turn = Turn(self)
        self.good_until = math.inf
        """Until when it is proven who the client is, in wall-clock seconds."""
        self.closed: Close | None = None
        self._events: list[Event] = []
        self._idle = 0.0
        self._passed = -1  # nobody has looked yet: the first look begins to count, not what was before it
        self._busy = False
        self._armed: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, event: Event) -> None:
        """Tell the dialog a fact and carry out what it orders. Facts that come meanwhile wait for their turn."""
        if self.closed is not None and not self._busy:
            return  # it is over
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

    def given_back(self, identity: Identity | None) -> None:
        """A store had it: it counts from here on, for the tenant too, whom only its client's proof names."""
        self.tenancy = tenancy(self.policy.name, identity)
        self.house.roster.ledger.join(self.tenancy)
        self.house.usher.take(self.dialog.manifest)

    def settle(self) -> None:
        """After orders were carried out: end the turn, set the timer, and leave if it is over."""
        self.turn.end()
        deadline = self.dialog.deadline
        if deadline == self._armed and self.closed is None:
            return
        self.stop_timer()
        self._armed = deadline
        if deadline is not None:
            self._timer = self.house.loop.call_at(deadline, self._ring)
        if self.closed is not None:
            self.house.closed(self.dialog.session)
            self.dialog.inbound.clerk = self.dialog.outbound.clerk = None  # they refer to it, too
            self.turn.let_go()
            self.legs.let_go()

    def stop_timer(self) -> None:
        """Nothing is due any more."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _ring(self) -> None:
        self._armed = self._timer = None
        if self.dialog.move is not None:
            self.dialog.bound = self.bound
        self.tell(DeadlinePassed())

    @property
    def bound(self) -> bool:
        """Whether something is under way that only the present owner can go on with."""
        return False

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
                self.answer(command)
            case Refuse():
                self.refuse(command.refusal)
            case ReplaceClient():
                self.replace_client()
            case Park():
                self.park()
            case CloseClient():
                self.close_client(command.code, command.reason)
            case Trim():
                # It speaks of node messages: the store is to have them before it.
                if self.dialog.outbound.clerk is not None:
                    self.dialog.outbound.clerk.bring()
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

    # What differs with the way in which a client and a node are spoken to.

    def answer(self, order: Answer) -> None:
        """Tell the client that its session is open, and what it is owed."""
        raise NotImplementedError

    def refuse(self, refusal: Refusal) -> None:
        """Tell the client that there will be no session."""
        raise NotImplementedError

    def replace_client(self) -> None:
        """Another connection of the same client took the session over."""
        raise NotImplementedError

    def park(self) -> None:
        """The client is away."""
        raise NotImplementedError

    def close_client(self, code: int, reason: str) -> None:
        """The session ends: tell the client. code: RFC 6455 section 7.4."""
        raise NotImplementedError

    def abandon(self, retry_after: int = 1) -> None:
        """The edge stops, and the session goes on elsewhere: let go of both sides, but do not end it. retry_after: in
        how many seconds its client may come back."""
        raise NotImplementedError

    def oust(self, why: Ousted) -> None:
        """The client may not have the session any more: what is open ends, until it is let in again."""
        raise NotImplementedError

    def review(self, review: Review) -> int:
        """Oust whoever would not be let in now; how much that has ended."""
        raise NotImplementedError

    def prove(self, identity: Identity) -> None:
        """The client has shown anew who it is."""
        self.good_until = identity.good_until

    @property
    def proven(self) -> PrincipalId | None:
        """Who the client is proven to be; None: it was not asked."""
        return self.record.principal if self.policy.auth is not None else None

    @property
    def alone(self) -> float:
        """For how many seconds its client has not been there; 0.0: it is."""
        return time.monotonic() - self.dialog.entered if self.dialog.state is State.PARKED else 0.0

    def memory(self) -> str:
        """What its protocol has to remember of it."""
        return ""

    def look(self, elapsed: float) -> None:
        """Be looked at by the sweep: signs of life, idleness. elapsed: seconds since the last time."""
        raise NotImplementedError

    def said(self, after: int) -> Sequence[Mapping[str, Any]]:
        """The node messages above `after` that the client was given, as a trunk's `journal` has them."""
        raise NotImplementedError

    def idle_for(self, elapsed: float) -> float:
        """For how many seconds no message has passed; elapsed: since this was asked last."""
        passed = self.dialog.inbound.count + self.dialog.outbound.count
        self._idle = self._idle + elapsed if passed == self._passed else 0.0
        self._passed = passed
        return self._idle
