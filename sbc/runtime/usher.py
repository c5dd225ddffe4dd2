"""Lets new sessions in, now or when there is room, for every transport alike; those that come back go first.

What is decided stands in core/admission.py; here is who waits, and what is done when their turn comes.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sbc.core import seating
from sbc.core.admission import Admission
from sbc.core.dialog import Dialog
from sbc.core.ending import turn_away
from sbc.core.pressure import Signs
from sbc.core.roster import Roster
from sbc.model.capacity import Capacity
from sbc.model.commands import Command
from sbc.model.errors import Refusal
from sbc.model.ids import NodeId, PoolName, SessionId
from sbc.model.manifest import Continuity, Manifest
from sbc.runtime.burst import Burst
from sbc.telemetry.metrics import Metrics

BOUNDLESS = 2**31
"""How many sessions the edge has where nothing is said: descriptors and memory press before that."""
MOST_RETURNS = 65_536
"""How many clients that come back may wait for their turn of the event loop."""

ComeIn = Callable[[], None]
TurnAway = Callable[[Refusal], None]
Announce = Callable[[str, Mapping[str, Any]], None]


class Beginner(Protocol):
    """A session that is made, and not begun."""

    dialog: Dialog

    def start(self, commands: list[Command]) -> None:
        """Carry out its first orders."""


class Usher:
    """One for all of an edge."""

    def __init__(self, roster: Roster, burst: Burst, metrics: Metrics, now: Callable[[], float],
                 announce: Announce) -> None:  # fmt: skip
        self._admission = Admission(roster, random.random)
        self._burst = burst
        self._metrics = metrics
        self._now = now
        self._announce = announce
        self._capacity = Capacity()
        self._waiting: dict[SessionId, tuple[Manifest, ComeIn, TurnAway]] = {}
        self.quick = self._admission.quick
        metrics.pressure, metrics.waiting = self._admission.pressure.by_source, self._admission.waiting

    def change(self, capacity: Capacity, classes: Mapping[PoolName, frozenset[Continuity]]) -> None:
        """A configuration is in force. classes: those of the agents of each pool."""
        self._capacity = capacity
        most = BOUNDLESS if capacity.sessions is None else capacity.sessions
        self._admission.change(capacity, most, classes, self._now())
        self._let_in()

    # New sessions.

    def judge(self, manifest: Manifest) -> bool:
        """Whether a new session is taken at once; else it has to wait. Raises Refusal 503."""
        now, admission = self._now(), self._admission
        try:
            return admission.judge(manifest, now)
        except Refusal as refusal:
            if refusal.code == "shed":
                self._shed(manifest, now)
            raise

    def _shed(self, manifest: Manifest, now: float) -> None:
        pressure = self._admission.pressure
        source = pressure.source if pressure.level >= pressure.marks.low else "nodes"
        self._metrics.shed[manifest.continuity.value, source] += 1
        if pressure.refused(now):
            self._announce("shedding_began", {"source": source, "pressure": round(pressure.level, 3)})

    def begin(self, session: Beginner, at_once: bool, prefer: NodeId | None = None) -> None:
        """A new session is made: at once, as `judge` has said, or when there is room. prefer: the node it had best be
        on."""
        dialog = session.dialog

        def start() -> None:
            session.start(seating.start(dialog, self._now(), prefer))

        def refuse(refusal: Refusal) -> None:
            session.start(turn_away(dialog, refusal))

        if at_once:
            self.take(dialog.manifest)
            start()
        else:
            self.wait(dialog.session, dialog.manifest, start, refuse)

    def wait(self, session: SessionId, manifest: Manifest, come_in: ComeIn, turn_away: TurnAway) -> None:
        """It has to wait: it will be told one or the other, unless it is `gone` before."""
        self._waiting[session] = manifest, come_in, turn_away
        self._admission.wait(session, manifest, self._now())

    def take(self, manifest: Manifest) -> None:
        """A session is there that was not judged, or may come in at once: it counts."""
        self._admission.take(manifest)

    def gone(self, session: SessionId, manifest: Manifest) -> bool:
        """A session is over; whether it had begun, and did not wait any more."""
        if self._waiting.pop(session, None) is not None:
            self._admission.forget(session, manifest.agent)
            return False
        self._admission.give_back(manifest)
        if self._waiting:
            self._let_in()
        return True

    def _let_in(self) -> None:
        admission, now = self._admission, self._now()
        while (found := admission.next(now)) is not None:
            session, waited = found
            _, come_in, _ = self._waiting.pop(session)
            self._metrics.admission_wait.observe(waited)
            come_in()

    def look_again(self) -> None:
        """A node may have room that had none."""
        self._admission.measure(self._now())
        self._let_in()

    # Those who come back.

    def readmit(self, manifest: Manifest, work: ComeIn, refuse: TurnAway) -> None:
        """A client is back for its session: `work` lets it in, soon; in a storm some of them in each turn of the event
        loop, and nobody new before them. A Refusal of it is for `refuse`."""
        if self._admission.returning >= MOST_RETURNS:
            refuse(self._admission.refusal("no_room", "too many come back at once", self._now()))
            return

        def turn() -> None:
            self._admission.returning -= 1
            try:
                work()
            except Refusal as refusal:
                refuse(refusal)

        self._admission.returning += 1
        self._burst.add(turn, manifest.continuity.rank, waiting=True)

    # The pulse.

    def tick(self, late: float) -> None:
        """Some 50 ms have passed. late: for how long the edge itself stood still beyond that, in seconds."""
        admission, now = self._admission, self._now()
        pressure = admission.pressure
        pressure.lagged(late, self._capacity.lag)
        admission.measure(now)
        if pressure.over(now):
            self._announce("shedding_ended", {"shed": pressure.shed})
        if self._waiting:
            self._let_in()
            for session, refusal in admission.late(now):
                self._turn_away(session, refusal)

    def _turn_away(self, session: SessionId, refusal: Refusal) -> None:
        found = self._waiting.get(session)
        if found is not None:
            found[2](refusal)  # which ends it: it is gone then

    def look(self, signs: Signs) -> None:
        """A second has passed: what was measured; it counts for whoever comes next."""
        self._admission.pressure.measured(signs)
        self._admission.measure(self._now())

    @property
    def relief_wanted(self) -> str:
        """What there is so little of that sessions have to be let go; empty: there is enough."""
        pressure = self._admission.pressure
        return pressure.source if pressure.extreme and pressure.source != "lag" else ""

