"""How hard-pressed the edge is, and whom it sheds early for that: random early detection (Floyd and Jacobson 1993)
applied to new sessions.

Refusing a few sessions while there is still room keeps the edge from the point at which it can serve nobody well. The
chance of a refusal rises between two marks, for the lowest class first, and in each for sessions of flat value first:

    chance 1          ____ flat autonomous     ____ ...            ____ rising synchronous
                     /                        /                   /
           0  ______/                    ____/               ____/
                   low mark                                       high mark
"""

from dataclasses import dataclass

from sbc.core.shares import CLASSES
from sbc.model.capacity import Marks
from sbc.model.manifest import Manifest

GRADES = 2 * CLASSES
"""Each class, with a flat and with a rising value."""
LAG_WEIGHT = 0.1
"""Of the newest lag in their average (a look each 50 ms): one stall of the machine is no pressure, many in a row
are."""
CALM_AFTER = 5.0
"""So long nothing was shed when the shedding is said to be over, in seconds."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What was measured, each as a share of what there is: 0 to 1, and more if it is over."""

    memory: float
    descriptors: float
    journals: float


class Pressure:
    """Turns what was measured into chances. Times are in seconds of any one clock."""

    __slots__ = ("_last", "by_source", "lag", "level", "marks", "shed", "shedding", "source")

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.lag = 0.0
        """How late the event loop comes on an average, in seconds."""
        self.by_source: dict[str, float] = {"lag": 0.0, "memory": 0.0, "descriptors": 0.0, "journals": 0.0}
        self.level = 0.0
        """The highest of these, up to 1."""
        self.source = "lag"
        """Which of them that is."""
        self.shed = 0
        """How many were refused since this shedding began."""
        self.shedding = False
        self._last = 0.0

    def lagged(self, late: float, most: float) -> None:
        """The loop came so late this time. most: how late is a pressure of 1."""
        self.lag += LAG_WEIGHT * (late - self.lag)
        self.by_source["lag"] = self.lag / most
        self._weigh()

    def measured(self, signs: Signs) -> None:
        """The other sources were looked at."""
        self.by_source.update(memory=signs.memory, descriptors=signs.descriptors, journals=signs.journals)
        self._weigh()

    def _weigh(self) -> None:
        self.source, level = max(self.by_source.items(), key=lambda found: found[1])
        self.level = min(1.0, level)

    @property
    def extreme(self) -> bool:
        """Whether refusing new sessions is no longer enough."""
        return self.level >= self.marks.high

    def chance(self, manifest: Manifest, strain: float) -> float:
        """How likely a new session is refused. strain: how hard-pressed the nodes are that could take it."""
        level = max(self.level, strain)
        marks = self.marks
        if level < marks.low:
            return 0.0
        if level >= marks.high:
            return 1.0
        grade = GRADES - 1 - 2 * manifest.continuity.rank - (not manifest.rising)
        step = (marks.high - marks.low) / (GRADES + 1)
        # A grade is shed for certain when the one after the next begins to be.
        return min(1.0, max(0.0, (level - marks.low - grade * step) / (2 * step)))

    def refused(self, now: float) -> bool:
        """Count a session that is shed; whether the shedding begins with it."""
        begins = not self.shedding
        self.shed = 1 if begins else self.shed + 1
        self.shedding, self._last = True, now
        return begins

    def over(self, now: float) -> bool:
        """Whether the shedding has come to its end just now."""
        if self.shedding and now - self._last >= CALM_AFTER:
            self.shedding = False
            return True
        return False
