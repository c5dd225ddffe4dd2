"""When it is safe to be told by qh3's core what came.

The core (2.1.0) forgets a stream that is over as soon as we are told so, even if some of it was lost and waits to be
sent once more. What it then makes a datagram of it can no longer account for, and the connection is beyond repair. What
waits cannot be looked into. But it can only be there after a loss, and while the congestion window is full: for so
long, and HOLD at most, we let ourselves be told nothing.
"""

from typing import Any, Final

HOLD: Final = 0.5
"""Seconds: how long what a client says waits at most, if it suffers losses."""
_FULL_DATAGRAM: Final = 1500
"""Bytes: with room for more than this in the congestion window the core has nothing left that waits."""


class Losses:
    """Those of one connection."""

    __slots__ = ("_counted", "_since")

    def __init__(self) -> None:
        self._counted = 0
        """How many there had been when nothing was left that waits."""
        self._since: float | None = None

    @property
    def deaf(self) -> bool:
        """Whether the core must not be asked for events."""
        return self._since is not None

    def look(self, core: Any, now: float) -> bool:
        """The core has sent what it could. Whether it is to be asked now for the events that had to wait."""
        since, losses = self._since, core.loss_total + core.pto_total
        if core.congestion_window - core.bytes_in_flight > _FULL_DATAGRAM:
            self._counted, self._since = losses, None
        elif since is None:
            self._since = now if losses != self._counted else None
        elif now - since > HOLD:
            self._since = now
        return since is not None and self._since != since
