"""Latency ceilings: how long a session waits for its node's first word, and which nodes keep them waiting.

Nothing is done for a message. Whoever watches looks at the counts of both directions now and then: a client message
that no node message has followed is a wait, and its end is seen at the look after it. So a wait is known to within one
look, either way alike; a ceiling counts as broken once the wait has been seen for all of it.

A look that finds messages of both sides does not know who spoke last. If a wait was under way, that may be its end and
the next one's beginning: of that next one nothing is said until the node speaks again, which shows that it was one.
"""

from enum import Enum

HALF_LIFE = 30.0
"""In so many seconds half of what a node did is forgotten."""
ENOUGH = 5.0
"""Of fewer waits nothing follows."""
SLOW_SHARE = 0.5
PROMPT_SHARE = 0.1
"""A node of which so many waits break their ceilings is slow, until no more than so few do."""


class Waited(Enum):
    """What a look at a session has found."""

    NOTHING = "nothing"
    KEPT = "kept"
    """A wait is over."""
    BROKEN = "broken"
    """A wait has become longer than its ceiling. Told once."""


class Wait:
    """One session's. Times are of any one clock, in seconds."""

    __slots__ = ("_broken", "_doubtful", "_looked", "_received", "_said", "_since", "length")

    def __init__(self, received: int, said: int, now: float) -> None:
        self._received = received
        self._said = said
        self._looked = now
        self._since: float | None = None
        self._broken = False
        self._doubtful = False
        """Whether it may be that nobody waits."""
        self.length: float | None = None
        """How long the wait was that was seen to end at the last look."""

    def look(self, received: int, said: int, ceiling: float, now: float) -> Waited:
        """The client's messages and the node's, up to now."""
        asked, answered = received > self._received, said > self._said
        since, before = self._since, self._looked
        self._received, self._said, self._looked = received, said, now
        self.length = None
        if asked and self._broken:  # what was asked before was refused, or is counted: this is another wait
            since, self._broken = None, False
        if answered:
            return self._end(since, before, ceiling, now, asked=asked)
        if asked and (since is None or self._doubtful):
            self._since, self._doubtful = now, False
            return Waited.NOTHING
        if since is not None and now - since >= ceiling and not self._broken and not self._doubtful:
            self._broken = True
            return Waited.BROKEN
        return Waited.NOTHING

    def _end(self, since: float | None, before: float, ceiling: float, now: float, *, asked: bool) -> Waited:
        """The node has spoken. before: when it was looked at last."""
        told, doubtful = self._broken, self._doubtful
        self._doubtful = asked and since is not None
        self._since, self._broken = now if self._doubtful else None, False
        if since is None and not asked:
            return Waited.NOTHING  # it speaks on
        self.length = now - since if since is not None else (now - before) / 2
        if told:
            return Waited.NOTHING
        return Waited.BROKEN if doubtful and self.length >= ceiling else Waited.KEPT

    def pause(self, received: int, said: int, now: float) -> None:
        """Nobody can answer at the moment, which is not the node's fault."""
        self._received, self._said, self._looked = received, said, now
        self._since, self._broken, self._doubtful = None, False, False


class Punctuality:
    """How a node keeps the ceilings of its sessions."""

    __slots__ = ("_at", "_broken", "_kept", "slow")

    def __init__(self) -> None:
        self._at = 0.0
        self._kept = 0.0
        self._broken = 0.0
        self.slow = False
        """Whether sessions are better off elsewhere."""

    def note(self, *, broken: bool, now: float) -> None:
        """One wait has kept its ceiling, or broken it."""
        self._fade(now)
        if broken:
            self._broken += 1
        else:
            self._kept += 1

    def judge(self, now: float) -> bool:
        """Look whether it is slow; whether that has changed."""
        self._fade(now)
        total, before = self._kept + self._broken, self.slow
        if self.slow:
            # With nobody left to keep waiting it is given another chance, once most is forgotten.
            self.slow = self._broken >= 1 and self._broken > PROMPT_SHARE * total
        else:
            self.slow = total >= ENOUGH and self._broken >= SLOW_SHARE * total
        return self.slow is not before

    def _fade(self, now: float) -> None:
        left = 0.5 ** ((now - self._at) / HALF_LIFE)
        self._kept, self._broken, self._at = self._kept * left, self._broken * left, now
