"""The edge's own pulse: pings on silent links, idle limits, signs of a stalled loop, node silence.

One sweep looks at all links; a session needs no timer for it.
"""

import asyncio
import time
from collections.abc import Callable

from sbc.runtime import record
from sbc.runtime.fleet import Fleet
from sbc.runtime.hall import Hall
from sbc.runtime.relief import relieve
from sbc.runtime.review import Ousted
from sbc.runtime.websocket.session import SWEEP

TICK = 0.05
"""How often node silence and loop lag are looked at, in seconds."""


async def pulse(hall: Hall, fleet: Fleet, each_second: Callable[[], None]) -> None:
    """Run until cancelled."""
    loop = hall.house.loop
    due, swept = loop.time() + TICK, loop.time()
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        now = loop.time()
        late = max(0.0, now - due)
        hall.house.metrics.lagged(late)
        fleet.tick(late)
        hall.watchman.tick(now, late, wanted=hall.rules.watched)
        hall.house.usher.tick(late)
        if now - swept >= SWEEP:
            sweep(hall, now - swept)
            relieve(hall)
            each_second()
            swept = now
        due = now + TICK


def sweep(hall: Hall, elapsed: float) -> None:
    """Look at every session. elapsed: seconds since the last time."""
    now = time.time()
    for session in list(hall.sessions.values()):
        if session.good_until <= now:
            session.oust(Ousted.EXPIRED)
        session.look(elapsed)
    hall.expire_singles(now)
    for revocation in hall.house.revocations.expire(now):
        hall.house.announce("revocation_over", {revocation.kind.value: revocation.name})
    for entry in hall.dormant.expire():
        record.write_absent(hall.house, entry, "client_gone", hall.records)
