"""Breaks up bursts: when a node dies, hundreds of its legs end in one turn of the event loop.

Seeing to all of them at once would stop everything else for that long, the first of them too. So only a few are seen
to in a turn of the loop; what was read and what is to be written in between goes its way. Those whose silence hurts
soonest go first; among equals, those whose client is waiting: with hundreds before them they would be the last to be
answered.
"""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

AT_ONCE = 8
AWAITED_AT_ONCE = 64
"""Pieces in a turn of the loop; the second as long as all of them are waited for. Under load a turn lasts 10 to 20 ms,
and a few pieces in each would keep dozens of waiting clients for several turns.
"""


class Burst:
    """A queue that is worked off some pieces a turn; without a burst each piece is done at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[int, bool, int, Callable[[], None]]] = []
        self._order = count()
        self._done = 0
        """How many were done in this turn of the loop."""

    def add(self, work: Callable[[], None], rank: int = 0, waiting: bool = False) -> None:
        """Do `work` now, or some turns later.

        rank: lower ones go first. waiting: whether somebody waits for it. Otherwise in the order in which they come.
        """
        if self._done == 0:
            self._loop.call_soon(self._next_turn)
        if self._done < AT_ONCE and not self._waiting:
            self._done += 1
            work()
        else:
            heapq.heappush(self._waiting, (rank, not waiting, next(self._order), work))

    def _next_turn(self) -> None:
        self._done = 0
        if not self._waiting:
            return
        self._loop.call_soon(self._next_turn)
        while self._waiting and self._done < (AT_ONCE if self._waiting[0][1] else AWAITED_AT_ONCE):
            self._done += 1
            heapq.heappop(self._waiting)[3]()
