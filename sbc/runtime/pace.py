"""How many handovers go to a node at a time: those that take over must not be trampled. Synchronous first."""

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import count

from sbc.model.ids import NodeId

AT_ONCE = 64
"""Handovers under way to one node."""


class Pace:
    """Queues of what is to be started, one for each node."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._running: Counter[NodeId] = Counter()
        self._waiting: dict[NodeId, list[tuple[int, int, Callable[[], bool]]]] = {}
        self._order = count()

    def enter(self, node: NodeId, rank: int, start: Callable[[], bool]) -> None:
        """Start now, or when it is this one's turn: lower ranks first. `start` answers whether it is still wanted."""
        if self._running[node] < self._at_once:
            if start():
                self._running[node] += 1
            return
        heapq.heappush(self._waiting.setdefault(node, []), (rank, next(self._order), start))

    def leave(self, node: NodeId) -> None:
        """One that was started has come to an end."""
        self._running[node] -= 1
        waiting = self._waiting.get(node)
        while waiting and self._running[node] < self._at_once:
            if heapq.heappop(waiting)[2]():
                self._running[node] += 1
        if not waiting:
            self._waiting.pop(node, None)
        if self._running[node] <= 0:
            del self._running[node]
