"""How long a client is waited for: one timer a connection, which is moved only when it would ring too late."""

import asyncio
from collections.abc import Callable
from enum import Enum
from math import inf

IDLE = 60.0
"""Between two requests."""
BODY_IDLE = 30.0
"""Between two pieces of a body."""
BODY_GRACE = 5.0
BODY_BYTES_PER_SECOND = 240.0
"""After the grace a body has to come at this rate, all in all; the time in which nobody takes it does not count."""
STALL = 30.0
"""How long a client may take nothing of what piles up for it."""


class Phase(Enum):
    """What the client is waited for; what the refusal is named after."""

    HEAD = "head"
    BODY = "body"
    IDLE = "idle"
    OFF = "off"


_HEAD, _BODY, _IDLE, _OFF = Phase
"""The same, looked up once: what is found in an enum by its name is found slowly."""


class Patience:
    """The deadlines of one connection. All methods are cheap, but for the first call in a new phase."""

    __slots__ = ("_armed", "_began", "_buffered", "_congested", "_deadline", "_head_timeout", "_late", "_loop", "_mark",
                 "_octets", "_piece", "_rested", "_sent", "_stalled", "_timer", "phase")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, head_timeout: float, late: Callable[[Phase | None], None],
        buffered: Callable[[], int],
    ) -> None:
        """late: told what came too late; None: the client takes nothing. buffered: bytes that the client has not."""
        self.phase = _OFF
        self._loop = loop
        self._head_timeout = head_timeout
        self._late = late
        self._buffered = buffered
        self._timer: asyncio.TimerHandle | None = None
        self._armed = inf
        self._deadline = inf
        self._congested = False
        self._stalled = inf
        """When a congested client has taken nothing for too long."""
        self._sent = self._mark = 0
        self._began = self._piece = 0.0
        self._rested: float | None = None
        """Since when nobody takes the body."""
        self._octets = 0

    def head(self) -> None:
        """A head is awaited, or its first bytes are here."""
        if self.phase is not _HEAD:
            self.phase = _HEAD
            self._set(self._loop.time() + self._head_timeout)

    def body(self, *, started: bool) -> None:
        """A body is to come; not started: only after `go_on`."""
        self.phase = _BODY
        now = self._began = self._piece = self._loop.time()
        self._octets = 0
        self._rested = None if started else now
        if started:
            self._arm(self._due())

    def came(self, octets: int) -> None:
        """A piece of the body."""
        self._octets += octets
        self._piece = self._loop.time()
        if self._rested is not None:
            self.go_on()

    def rest(self) -> None:
        """Nobody takes the body at the moment."""
        if self._rested is None:
            self._rested = self._loop.time()

    def go_on(self) -> None:
        """The body is taken again."""
        if self._rested is not None:
            now = self._loop.time()
            self._began += now - self._rested
            self._piece = now
            self._rested = None
            self._arm(self._due())

    def idle(self) -> None:
        """Another request may come."""
        self.phase = _IDLE
        self._set(self._loop.time() + IDLE)

    def off(self) -> None:
        """The client is waited for no more."""
        self.phase = _OFF
        self._deadline = inf

    def until(self, seconds: float) -> None:
        """The client has so long to take what is left."""
        self.phase = _OFF
        self._set(self._loop.time() + seconds)

    def sent(self, octets: int) -> None:
        """So much was written."""
        self._sent += octets

    def congested(self) -> None:
        """What was written piles up."""
        self._congested = True
        self._mark = self._sent - self._buffered()
        self._stalled = self._loop.time() + STALL
        self._arm(self._stalled)

    def flowing(self) -> None:
        """It does no longer."""
        self._congested = False

    def end(self) -> None:
        """The connection is somebody else's, or gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._late, self._buffered = _nobody, _nothing  # no cycles that a collection would have to find

    def _set(self, deadline: float) -> None:
        self._deadline = deadline
        self._arm(deadline)

    def _arm(self, deadline: float) -> None:
        if self._timer is None or deadline < self._armed:
            if self._timer is not None:
                self._timer.cancel()
            self._armed = deadline
            self._timer = self._loop.call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time() + 0.001  # timers are counted in milliseconds
        due = self._due()
        if due <= now:
            self._late(self.phase)
            return
        if self._congested:
            taken = self._sent - self._buffered()
            if taken > self._mark:
                self._mark, self._stalled = taken, now + STALL
            elif self._stalled <= now:
                self._late(None)
                return
            due = min(due, self._stalled)
        if due < inf:
            self._arm(due)

    def _due(self) -> float:
        if self.phase is not _BODY:
            return self._deadline
        if self._rested is not None:
            return inf
        return min(self._piece + BODY_IDLE, self._began + BODY_GRACE + self._octets / BODY_BYTES_PER_SECOND)


def _nobody(_phase: Phase | None) -> None:
    pass


def _nothing() -> int:
    return 0
