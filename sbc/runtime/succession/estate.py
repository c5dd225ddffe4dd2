"""What a process has to hand over to its successor: its sessions, each when its turn is over, the lowest class first.

Of a session made of requests its turn is over when nothing but standing streams is under way; such a session stays as
long as requests may still come for it on the connections there are, which end behind their next answer. A session that
the successor asks for, because its client is there, goes as soon as its turn is over.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sbc.core.dialog import ClientSide, NodeSide
from sbc.core.move import QUIET
from sbc.model.errors import CloseCode, Refusal
from sbc.model.events import EndOrdered
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals
from sbc.runtime.afar import as_it_is, journals_of
from sbc.runtime.dormant import Sleeper
from sbc.runtime.hall import Hall
from sbc.runtime.http.session import HttpSession
from sbc.runtime.session import Session
from sbc.runtime.succession.words import journals_out, stored_out

STEP: Final = 0.05
"""How often some more go, in seconds."""
LINGERING: Final = 3.0
"""Seconds for which a connection that is kept alive may bring one more request, whose answer ends it."""
TURN: Final = 30.0
"""Seconds that requests under way may take; a session over one connection has the `deadline` of its manifest."""
SETTLING: Final = 15.0
"""Seconds that a session may take to find its node; one that takes longer ends here."""

Give = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Hands a session over, as words.py has it."""


class Estate:
    """The sessions of a hall, until none is left."""

    def __init__(self, hall: Hall, give: Give) -> None:
        self._hall = hall
        self._give = give
        self._began = 0.0
        self._seen: dict[SessionId, tuple[tuple[int, int], float]] = {}
        """How many messages each session had, and since when."""

    # What the successor asks for.

    async def wanted(self, session: SessionId) -> bool:
        """The client of this session is at the successor: hand it over, if it is here. Raises ChannelLost,
        Refusal."""
        give_up = time.monotonic() + TURN
        while session in self._hall.sessions or session in self._hall.dormant:
            late = time.monotonic() >= give_up
            asleep = self._hall.dormant.forsake(session)
            if asleep is not None:
                await self._give_asleep(asleep)
                return True
            found = self._hall.sessions.get(session)
            if found is not None and _settled(found) and (late or not _answers(found)):
                await self._give_one(found)
                return True
            if late:
                raise Refusal(503, "session_busy", "the session could not be gone on with just now", retry_after=1)
            await asyncio.sleep(STEP)
        return False

    # All of them.

    async def hand_over(self, retire: Callable[[bool], None]) -> None:
        """Until there is none. retire: has connections end behind their next answer (True: even those that are waiting
        for a request). Raises ChannelLost."""
        self._began = self._hall.house.loop.time()
        for session in list(self._hall.dormant.sleepers):
            asleep = self._hall.dormant.forsake(session)
            if asleep is not None:
                await self._give_asleep(asleep)
        while self._hall.sessions or self._hall.answering or self._elapsed < LINGERING:
            retire(self._elapsed >= LINGERING)
            await self._hand_over_some()
            await asyncio.sleep(STEP)

    @property
    def _elapsed(self) -> float:
        return self._hall.house.loop.time() - self._began

    async def _hand_over_some(self) -> None:
        now = time.monotonic()
        at_once = math.ceil(self._hall.rules.capacity.drain_pace * STEP)
        for session in reversed(self._hall.by_rank()):
            if not self._may_go(session, now) or session.closed is not None:
                continue
            await self._give_one(session)
            at_once -= 1
            if not at_once:
                return

    def _may_go(self, session: Session, now: float) -> bool:
        dialog, elapsed = session.dialog, self._elapsed
        if not _settled(session):
            if elapsed >= SETTLING:
                session.tell(EndOrdered(CloseCode.RESTART, "retry_after=0"))
            return False
        if isinstance(session, HttpSession):
            return elapsed >= TURN or (elapsed >= LINGERING and not dialog.under_way)
        if dialog.client is ClientSide.AWAY or elapsed >= dialog.manifest.migration.deadline:
            return True
        counts = (dialog.inbound.count, dialog.outbound.count)
        seen, since = self._seen.get(dialog.session, ((-1, -1), now))
        if counts != seen or dialog.under_way:
            self._seen[dialog.session] = counts, now
            return False
        return now - since >= QUIET

    async def _give_one(self, session: Session) -> None:
        hall = self._hall
        hall.house.office.bring()
        said = {
            "stored": stored_out(as_it_is(session, hall.keys_of(session))),
            "journals": journals_out(_counted(session)), "lasts": _lasts(session),
        }  # fmt: skip
        # In the same moment: nothing may come in between that would be in neither process.
        hall.forsake(session)
        self._seen.pop(session.dialog.session, None)
        await self._give(said)

    async def _give_asleep(self, asleep: Sleeper) -> None:
        left = max(asleep.until - self._hall.house.loop.time(), 0.0)
        journals = None if asleep.journals is None else journals_out(asleep.journals)
        self._hall.house.store.forsake(asleep.entry.binding.session)
        await self._give({"stored": stored_out(asleep.entry), "journals": journals, "lasts": left})


def _counted(session: Session) -> Journals:
    """Its messages, so that the next ones are numbered on even where none was kept."""
    dialog, journals = session.dialog, journals_of(session)
    from_client, from_node = (
        run if run[0] + len(run[1]) - 1 == relay.count else (relay.count + 1, ())
        for run, relay in ((journals.from_client, dialog.inbound), (journals.from_node, dialog.outbound))
    )
    return Journals(from_client, from_node, journals.memory)


def _settled(session: Session) -> bool:
    """Whether what the store has of its owner is what is so."""
    dialog = session.dialog
    known = dialog.binding is not None and dialog.on_record is None and dialog.client is not ClientSide.JOINING
    return known and dialog.move is None and dialog.node in (NodeSide.SERVING, NodeSide.WAITING)


def _answers(session: Session) -> bool:
    """Whether requests are under way that its client waits for, on another connection than that on which it is back."""
    return isinstance(session, HttpSession) and session.dialog.under_way > 0


def _lasts(session: Session) -> float:
    """For how many seconds it waits for its client."""
    dialog = session.dialog
    hold = dialog.manifest.migration.hold
    if isinstance(session, HttpSession):
        return hold if session.handle else max(session.policy.limits.idle - session.alone, hold)
    return hold if dialog.park_until is None else max(dialog.park_until - time.monotonic(), 0.0)
