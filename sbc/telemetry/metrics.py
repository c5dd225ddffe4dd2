"""What the edge counts: plain ints and dicts that the hot and the warm path change in place.

No metrics library here: an increment must cost an increment. collector.py reads this at each scrape and gives it
the names of docs/DESIGN.md section 5.7. Keys are words of our own code or names of the configuration, never anything
that a client chose: so every table is bounded, and no session id becomes a label.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

GAP_BOUNDS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
)
"""Upper bounds in seconds for the time a client has no owner: 1 ms to the longest usual `hold`."""

WAIT_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Upper bounds in seconds for how long a session waits to be taken."""

RTT_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds in seconds for the round trip to a node."""

FIRST_BOUNDS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds for the time to a node's first message: from what can be told apart to what nobody bears."""


class Histogram:
    """Observations counted in fixed buckets; a value on a bound belongs to the bucket that the bound closes."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """Per bucket, not yet cumulative; the last one has no upper bound."""
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value, in the unit of the bounds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Traffic(Protocol):
    """The counters of one leg and class, as core/relay.py keeps them."""

    messages: int
    octets: int
    suppressed: int
    stale: int


class QuicTally:
    """What comes and goes by QUIC, over all listeners."""

    __slots__ = ("connections", "dropped", "half_open", "handshakes", "lost", "moves", "negotiations", "passed",
                 "received", "retries", "sent")

    def __init__(self) -> None:
        self.connections = 0
        """Now."""
        self.half_open = 0
        """Those of them that have not shaken hands yet."""
        self.handshakes = 0
        """That were completed."""
        self.retries = 0
        """Clients that were asked to show their address first."""
        self.negotiations = 0
        """Datagrams of other versions that were answered."""
        self.moves = 0
        """Of clients to other addresses."""
        self.received = 0
        self.sent = 0
        self.passed = 0
        """To the process that has the connection."""
        self.lost = 0
        """Datagrams that the kernel did not take."""
        self.dropped: defaultdict[str, int] = defaultdict(int)
        """Datagrams that nothing came of, by reason."""


class Forwards:
    """What went to other workers and edges, which have the sessions."""

    __slots__ = ("outcomes", "up")

    def __init__(self) -> None:
        self.outcomes: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By way (request | websocket) and outcome."""
        self.up: dict[str, bool] = {}
        """Whether another worker (by its number) or edge (by its name) was reached the last time."""


class Metrics:
    """All counters of one edge. Whoever has something to count changes the attribute."""

    def __init__(self) -> None:
        self.admissions: defaultdict[str, int] = defaultdict(int)
        """By outcome."""
        self.admission_wait = Histogram(WAIT_BOUNDS)
        """Of those that had to wait, and were taken."""
        self.waiting: Sequence[int] = ()
        """How many wait to be taken now, by the rank of their class."""
        self.shed: defaultdict[tuple[str, str], int] = defaultdict(int)
        """New sessions that were refused for pressure, by class and by what pressed."""
        self.let_go: defaultdict[str, int] = defaultdict(int)
        """Sessions that were ended for pressure, by class."""
        self.pressure: Mapping[str, float] = {}
        """How hard-pressed the edge is, by source: 1 is its end."""
        self.handovers: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By cause and outcome."""
        self.handover_gap = Histogram(GAP_BOUNDS)
        self.node_rtt = Histogram(RTT_BOUNDS)
        self.first_message = Histogram(FIRST_BOUNDS)
        self.ceilings: defaultdict[tuple[str, str], int] = defaultdict(int)
        """Latency ceilings that were broken, by agent and class."""
        self.refused: defaultdict[str, int] = defaultdict(int)
        """By the code of the refusal."""
        self.abuse: defaultdict[str, int] = defaultdict(int)
        """By kind."""
        self.throttled: defaultdict[str, int] = defaultdict(int)
        """By the limit that was reached."""
        self.address_held = False
        """Whether this edge has the address that edges share."""
        self.address_changes: defaultdict[str, int] = defaultdict(int)
        """How often it was taken, left, lost."""
        self.kernel_orders: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By order and outcome: done | refused | unsaid."""
        self.reloads: defaultdict[str, int] = defaultdict(int)
        """By outcome: applied | rejected."""
        self.upgrades: defaultdict[str, int] = defaultdict(int)
        """By outcome: succeeded (this process took another one's place) | failed (none took this one's)."""
        self.config_reload_ok = True
        """Whether the last reload was applied."""
        self.replayed = 0
        self.suppressed = 0
        """Suppressed otherwise than by a relay, which counts its own in its tally."""
        self.lost = self.unknown = 0
        """Unknown: client messages of which nobody can know whether a former owner acted on them."""
        self.unstored = 0
        """Messages that were to wait for the store, and were passed on without its word."""
        self.session_seconds: defaultdict[str, float] = defaultdict(float)
        """By state of the dialog."""
        self.loop_lag_last = self.loop_lag_max = 0.0
        self.quic, self.forwards = QuicTally(), Forwards()
        self.tallies: dict[tuple[str, str], Traffic] = {}
        """By leg and class; read at scrape only."""

    def turned_away(self, code: str) -> None:
        """A client was refused, for the reason of this code."""
        self.refused[code] += 1
        self.admissions["refused"] += 1

    def lagged(self, seconds: float) -> None:
        """The event loop came `seconds` later than it was asked to."""
        self.loop_lag_last = seconds
        self.loop_lag_max = max(self.loop_lag_max, seconds)

    def reloaded(self, applied: bool) -> None:
        """A reload was tried."""
        self.reloads["applied" if applied else "rejected"] += 1
        self.config_reload_ok = applied
