"""Whether a node lives: signs of life in, verdicts out, with hysteresis.

A node is heard through its trunk's heartbeats or, without a trunk, through probes. Silence counts from the last
sign of life; how much of it is borne depends on the class of the session, so that a voice call moves within a second
while a stalled node does not set off a storm of moves that nobody needed.
"""

from dataclasses import dataclass
from enum import Enum

from sbc.model.manifest import Continuity
from sbc.model.node import NodeState, Probe

HEARTBEAT = 0.2
"""How often a node with a trunk is asked to send a sign of life, in seconds."""
BEATS_A_SECOND = 2500
"""How many such signs of all nodes together an edge wants to read: of more nodes each is asked less often."""

SILENCE_BORNE = {Continuity.SYNCHRONOUS: 0.7, Continuity.INTERACTIVE: 1.5, Continuity.AUTONOMOUS: 3.0}
"""After how long a silence of its node a session of this class is moved, in seconds."""

MISSED = 2.5
"""How many heartbeats, at the node's own pace, have to be missing for a silence."""
SMOOTHING = 0.3
LEISURE = 5.0
"""The longest interval between heartbeats that is learned, in seconds."""

REFUSALS_BORNE = 3
"""Connections refused one after the other before a node without probes is taken for down."""


def beat_every(trunks: int) -> float:
    """How often a node is asked for a sign of life where so many have a trunk, in seconds."""
    return min(max(HEARTBEAT, trunks / BEATS_A_SECOND), LEISURE)


class Sign(Enum):
    """What happened to the state of a node."""

    SAME = "same"
    FELL = "fell"
    ROSE = "rose"


@dataclass(slots=True)
class Health:
    """The health of one node. `draining` is an order and outlives DOWN."""

    probe: Probe
    heard: float
    """When the last sign of life came."""
    alive: bool = True
    draining: bool = False
    beat: float | None = None
    """When the last heartbeat came."""
    pace: float | None = None
    """How often heartbeats come, smoothed: a node that sends them at leisure is not silent for that. None: it has no
    trunk, or has not sent two heartbeats on it yet, and is probed instead."""
    failures: int = 0
    successes: int = 0
    refusals: int = 0

    @property
    def state(self) -> NodeState:
        if not self.alive:
            return NodeState.DOWN
        return NodeState.DRAINING if self.draining else NodeState.UP

    @property
    def beats(self) -> bool:
        """Whether heartbeats tell how the node is."""
        return self.pace is not None

    def heartbeat(self, now: float) -> Sign:
        """A heartbeat came over the trunk."""
        if self.beat is not None:
            interval = min(now - self.beat, LEISURE)
            self.pace = interval if self.pace is None else self.pace + SMOOTHING * (interval - self.pace)
        self.beat = now
        return self.spoke(now)

    def hang_up(self) -> None:
        """The trunk is gone, and its heartbeats with it."""
        self.beat = self.pace = None

    def spoke(self, now: float) -> Sign:
        """Anything at all came over the trunk."""
        self.heard = now
        self.failures = self.refusals = 0
        return self._rise()

    def probed(self, alive: bool, now: float) -> Sign:
        """A probe was answered, or not."""
        if alive:
            self.heard = now
            self.failures = 0
            self.successes += 1
            if self.alive or self.successes >= self.probe.rise:
                return self._rise()
            return Sign.SAME
        self.successes = 0
        self.failures += 1
        return self._fall() if self.failures >= self.probe.fall else Sign.SAME

    def refused(self) -> Sign:
        """A connection was refused or broke before it was of any use (passive check)."""
        self.refusals += 1
        return self._fall() if self.refusals >= REFUSALS_BORNE else Sign.SAME

    def worked(self) -> None:
        """A leg was opened: whatever failed before, the node serves."""
        self.refusals = 0

    def silence(self, now: float) -> float:
        """For how long nothing was heard over the trunk, in seconds; 0 for a node that is probed instead."""
        return now - self.heard if self.beats else 0.0

    def borne(self, continuity: Continuity) -> float:
        """After how long a silence sessions of this class are moved, in seconds."""
        return max(SILENCE_BORNE[continuity], MISSED * (self.pace or HEARTBEAT))

    def excuse(self, seconds: float) -> None:
        """The edge itself stood still for so long: that silence was not the node's."""
        self.heard += seconds

    def silent(self, now: float) -> Sign:
        """Judge the silence: a node that not even a voice session would bear takes no more sessions."""
        if self.silence(now) > self.borne(Continuity.SYNCHRONOUS):
            return self._fall()
        return Sign.SAME

    def _fall(self) -> Sign:
        if not self.alive:
            return Sign.SAME
        self.alive = False
        self.successes = 0
        return Sign.FELL

    def _rise(self) -> Sign:
        if self.alive:
            return Sign.SAME
        self.alive = True
        self.failures = self.refusals = 0
        return Sign.ROSE
