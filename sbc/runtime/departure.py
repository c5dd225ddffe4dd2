"""How an edge sends its clients away: when it stops, or before that, when it is drained.

A drained edge says first that it is not ready, and serves on for as long as balancers need to see that. Then it closes
its doors, lets answers under way come to their end, and tells clients to come back, the highest class first and so many
a second (`drain.pace`). The address that edges share is given up last: clients that come back find the next edge there.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from sbc.model.errors import CloseCode
from sbc.model.events import EndOrdered
from sbc.model.interfaces import Spawn
from sbc.runtime.anchor import Anchor
from sbc.runtime.hall import Hall
from sbc.transports.listener import Listener
from sbc.wire.link import CLOSING, Parting

ANSWERING: Final = 10.0
"""How long requests that are under way may take to be answered, in seconds."""
STOPPING: Final = 15.0
"""How long an edge that stops takes at most to send its clients away, in seconds."""
STEP: Final = 0.05
"""How often some more are sent away, in seconds."""


class Departure:
    """Of one edge; there is no way back but a restart."""

    def __init__(self, hall: Hall, listeners: Mapping[str, Listener], anchor: Anchor | None,
                 retire: Callable[[], None], spawn: Spawn, announce: Callable[[str, Mapping[str, Any]], None],
                 ) -> None:  # fmt: skip
        """retire: takes no more from other edges and workers."""
        self.phase: str | None = None
        """`draining`, `drained`; None: it stays."""
        self._hall = hall
        self._listeners = listeners
        self._anchor = anchor
        self._retire = retire
        self._spawn = spawn
        self._announce = announce
        self._now = asyncio.Event()
        self._turn = asyncio.Lock()

    def drain(self, settle: float) -> dict[str, Any]:
        """Have it sent its clients away in so many seconds, if that is not ordered yet. How far it is."""
        if self.phase is None:
            self.phase = "draining"
            self._announce("edge_draining", {"settle": settle})
            self._spawn("drain", self._drain(settle))
        return {"state": self.phase, "sessions": len(self._hall.sessions)}

    async def _drain(self, settle: float) -> None:
        try:
            async with asyncio.timeout(settle):
                await self._now.wait()
        except TimeoutError:
            await self.send_away()

    async def send_away(self) -> None:
        """Do it now; at once if it is done already."""
        self._now.set()
        async with self._turn:
            if self.phase != "drained":
                await self._send_away()
                self.phase = "drained"
                self._announce("edge_drained", {})

    async def _send_away(self) -> None:
        for listener in self._listeners.values():
            listener.close()
            listener.retire()
        self._retire()
        await _wait_for(lambda: not self._hall.answering, ANSWERING)
        await _empty(self._hall)
        doors = list(self._listeners.values())
        await _wait_for(
            lambda: not (Parting.alive or self._hall.pipes or any(door.parting for door in doors)), CLOSING)
        for door in doors:
            door.end()
        if self._anchor is not None:
            await self._anchor.leave()


async def _empty(hall: Hall) -> None:
    """Tell every client to come back elsewhere or later, and every node that its legs are done."""
    hall.stopping = True
    hall.house.office.bring()
    durable = hall.house.store.durable
    for request in [*hall.singles, *hall.passing]:
        request.abandon()
    leaving = hall.by_rank()
    at_once = math.ceil(max(hall.rules.capacity.drain_pace, len(leaving) / STOPPING) * STEP)
    for number, session in enumerate(leaving, 1):
        if durable:
            session.abandon()
        else:
            session.tell(EndOrdered(CloseCode.RESTART, "retry_after=1"))
        if number % at_once == 0:
            await asyncio.sleep(STEP)  # all of them at once would come back at once, elsewhere


async def _wait_for(done: Callable[[], bool], longest: float) -> None:
    give_up = asyncio.get_running_loop().time() + longest
    while not done() and asyncio.get_running_loop().time() < give_up:  # noqa: ASYNC110  it is a count
        await asyncio.sleep(0.02)
