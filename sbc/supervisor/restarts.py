"""When a worker that has ended is started again: at once the first time, later each time it ends again soon.

    (ended after LIVED or more) -> FIRST     (ended before) -> twice as long as the last time, LONGEST at most
    ended SO_OFTEN times in a row before LIVED -> it is looping: it is still started again, and operators are told
"""

from typing import Final

FIRST: Final = 0.1
LONGEST: Final = 10.0
"""Seconds."""
LIVED: Final = 10.0
"""Seconds after which a worker that served is taken for sound."""
SO_OFTEN: Final = 3


class Restarts:
    """Of one worker."""

    __slots__ = ("_in_a_row", "total")

    def __init__(self) -> None:
        self.total = 0
        self._in_a_row = 0
        """How often it has ended before it had lived for long."""

    @property
    def looping(self) -> bool:
        """Whether it ends again and again."""
        return self._in_a_row >= SO_OFTEN

    def ended(self, served: float) -> float:
        """It has ended after it served for so many seconds; in how many it is to be started again."""
        self.total += 1
        self._in_a_row = self._in_a_row + 1 if served < LIVED else 0
        return min(FIRST * 2.0 ** max(self._in_a_row - 1, 0), LONGEST)

    def settled(self) -> None:
        """It has served for LIVED."""
        self._in_a_row = 0
