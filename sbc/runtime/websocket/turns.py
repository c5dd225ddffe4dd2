"""What the messages of a session say of its turns, where its protocol knows: when a planned move is cheap, and when the
node itself will end the session, so that it moves before (a roll-over)."""

import asyncio
import time
from typing import Protocol

from sbc.core.dialog import Dialog
from sbc.core.frames import Fault, payload_of
from sbc.model.events import Event, MoveOrdered, TurnEnded
from sbc.model.leg import Cause
from sbc.protocols.protocol import Turns

AHEAD = 2.0
"""How long before the node's cap a session should have moved, over and above the time that a move may take."""


class Talked(Protocol):
    """The session, as far as its turns go."""

    dialog: Dialog

    def tell(self, event: Event) -> None: ...


class Attention:
    """Follows one session's turns."""

    def __init__(self, session: Talked, turns: Turns, longest: int, loop: asyncio.AbstractEventLoop) -> None:
        """longest: the largest message, in bytes."""
        self._session = session
        self._turns = turns
        self._longest = longest
        self._loop = loop
        self._cap: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        dialog = session.dialog
        dialog.inbound.listen(_Ear(self, from_client=True))
        dialog.outbound.listen(_Ear(self, from_client=False))

    def hear(self, message: bytes, *, from_client: bool) -> bool:
        """A message has passed; whether something has changed by it."""
        try:
            _, payload = payload_of(message, self._longest)
        except Fault:
            return False  # compressed, and not well: nobody can read it
        turns = self._turns
        turns.said(from_client, payload, time.time())
        return turns.under_way != bool(self._session.dialog.under_way) or turns.cap != self._cap

    def look(self) -> None:
        """See to what has changed."""
        dialog, turns = self._session.dialog, self._turns
        dialog.under_way = int(turns.under_way)
        if turns.cap != self._cap:
            self._set_cap(turns.cap)
        if not dialog.under_way and dialog.move is not None:
            self._session.tell(TurnEnded())

    def _set_cap(self, cap: float | None) -> None:
        self.stop()
        self._cap = cap
        if cap is not None:
            deadline = self._session.dialog.manifest.migration.deadline
            self._timer = self._loop.call_later(max(0.0, cap - time.time() - deadline - AHEAD), self._roll_over)

    def _roll_over(self) -> None:
        self._timer = None
        deadline = self._session.dialog.manifest.migration.deadline
        self._session.tell(MoveOrdered(None, Cause.ROLLOVER, deadline))

    def moved(self) -> None:
        """Another node has the session now."""
        self._turns.moved()
        self.look()

    def stop(self) -> None:
        """The session is over, or its cap is another one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Ear:
    """One direction. Implements Ear."""

    def __init__(self, attention: Attention, *, from_client: bool) -> None:
        self._attention = attention
        self._from_client = from_client

    def hear(self, message: bytes) -> bool:
        return self._attention.hear(message, from_client=self._from_client)
