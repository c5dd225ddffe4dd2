"""What the edge has too little of, once a second; and at the highest pressure, which sessions are let go for it.

No session whose client is connected is ended for pressure: what it would lose is more than what it costs. Of those
whose client is away the ones of flat value go, the lowest class first and in it those that have been alone for longest,
some at a time, while it is memory, descriptors or journals that press: their end gives some of these back.
"""

from collections.abc import Callable
from typing import Protocol

from sbc.core.pressure import Signs
from sbc.model.capacity import Capacity
from sbc.model.errors import CloseCode
from sbc.model.events import EndOrdered
from sbc.model.ids import SessionId
from sbc.runtime.house import House
from sbc.runtime.rules import Rules
from sbc.runtime.session import Session
from sbc.telemetry import memory

COLD = 5.0
"""For how many seconds a session has to have been alone: a client that changes its network is back sooner."""
SHARE = 0.05
LEAST = 16
"""How many are let go in a second: so much of all sessions, and at least so many."""


class Host(Protocol):
    """The hall, as far as relief needs it."""

    house: House
    rules: Rules
    sessions: dict[SessionId, Session]

    @property
    def descriptors(self) -> float:
        """The share of the file descriptors for clients and sessions that is taken."""


def relieve(host: Host, resident: Callable[[], int] = memory.resident) -> None:
    """Measure what presses, and let sessions go if refusing new ones is not enough. resident: bytes of memory."""
    usher, capacity = host.house.usher, host.rules.capacity
    usher.look(signs(host, capacity, resident()))
    if usher.relief_wanted:
        let_go(host)


def signs(host: Host, capacity: Capacity, resident: int) -> Signs:
    """Everything as a share of what there is."""
    journals = 0.0
    if capacity.journals is not None:
        dialogs = (session.dialog for session in host.sessions.values())
        held = sum(dialog.inbound.journal.octets + dialog.outbound.journal.octets for dialog in dialogs)
        journals = held / capacity.journals
    return Signs(resident / (capacity.memory or memory.allowed() / capacity.processes), host.descriptors, journals)


def let_go(host: Host) -> None:
    """End some of the sessions that cost least to lose."""
    alone = [(session, cold) for session in host.sessions.values()
             if not session.dialog.manifest.rising and (cold := session.alone) >= COLD]
    alone.sort(key=lambda found: (-found[0].dialog.manifest.continuity.rank, -found[1]))
    for session, _ in alone[: max(LEAST, int(len(host.sessions) * SHARE))]:
        host.house.metrics.let_go[session.dialog.manifest.continuity.value] += 1
        session.tell(EndOrdered(CloseCode.TRY_LATER, "let go for pressure", "shed"))
