"""How many sessions take a seat on a node at a time when many have to: those that take over must not be trampled.

Synchronous sessions go first; among equals, those whose client is waiting for an answer.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import count

from sbc.core.dialog import Dialog
from sbc.core.resumption import arrived, durable, resumption
from sbc.model.ids import NodeId

AT_ONCE = 16
"""Sessions that take a seat on one node at the same time. More would share the same work and all be late."""
RETURNS_AT_ONCE = 64
"""The same of sessions whose edge has died: their clients come one after the other, and nothing else was lost."""

Start = Callable[[], bool]


def waited_for(dialog: Dialog) -> bool:
    """Whether the client has said something that the next owner will have to answer.

    Not only what is held for it counts: what the owner was sent and did not make durable died with it.
    """
    base = durable(dialog) if dialog.outage is None else dialog.outage.base
    pending = [point.received for point in dialog.pending if arrived(dialog, point)]
    return dialog.inbound.count > max([resumption(dialog, base).received, *pending])


class Pace:
    """Queues of sessions, one for each node."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._running: Counter[NodeId] = Counter()
        self._waiting: dict[NodeId, list[tuple[int, int, int, Start]]] = {}
        self._order = count()
        self._letting_in: set[NodeId] = set()

    def enter(self, node: NodeId, rank: int, waiting: bool, start: Start) -> None:
        """Start when it is this one's turn. `start` answers whether it is still wanted; then it has to `leave`.

        rank: lower ones go first. waiting: whether somebody waits for it. It may be asked for again to go further up.
        """
        heapq.heappush(self._waiting.setdefault(node, []), (rank, not waiting, next(self._order), start))
        self._let_in(node)

    def leave(self, node: NodeId) -> None:
        """One that was started has come to an end."""
        self._running[node] -= 1
        self._let_in(node)

    def _let_in(self, node: NodeId) -> None:
        if node in self._letting_in:
            return  # one that ended while it was let in: the loop below goes on
        self._letting_in.add(node)
        try:
            waiting = self._waiting.get(node, [])
            while waiting and self._running[node] < self._at_once:
                self._running[node] += 1
                if not heapq.heappop(waiting)[3]():
                    self._running[node] -= 1
        finally:
            self._letting_in.discard(node)
        if not waiting:
            self._waiting.pop(node, None)
            if self._running[node] <= 0:
                del self._running[node]
