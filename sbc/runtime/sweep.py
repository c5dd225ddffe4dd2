"""The edge's own pulse: pings on silent links, idle limits, signs of a stalled loop, node silence.

One sweep looks at all links; a session needs no timer for it.
"""

import asyncio
from collections.abc import Callable

from sbc.core.frames import Opcode
from sbc.model.errors import CloseCode
from sbc.runtime import record
from sbc.runtime.fleet import Fleet
from sbc.runtime.hall import Hall
from sbc.wire.link import Link

TICK = 0.05
"""How often node silence and loop lag are looked at, in seconds."""
SWEEP = 1.0
"""How often every link is looked at."""


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
        if now - swept >= SWEEP:
            sweep(hall, now - swept)
            each_second()
            swept = now
        due = now + TICK


def sweep(hall: Hall, elapsed: float) -> None:
    """Look at every link. elapsed: seconds since the last time."""
    for session in list(hall.sessions.values()):
        limits = session.policy.limits
        client = session.client
        if client is not None and not _lives(client, limits.ping, elapsed):
            session.lose_client()
        elif client is not None and session.idle_for(elapsed) >= limits.idle:
            hall.house.metrics.abuse["idle"] += 1
            session.expel(CloseCode.POLICY, "idle")
        for link in session.legs.links:
            # A node that takes no more for now cannot be asked either; its trunk or its probes tell how it is.
            if not link.congested and not _lives(link, limits.ping, elapsed):
                link.abort()
                session.legs.gone(link, CloseCode.ABNORMAL, "silent")
    for entry in hall.dormant.expire():
        record.write_absent(hall.house, entry, "client_gone", hall.records)


def _lives(link: Link, ping: float, elapsed: float) -> bool:
    """Whether a link gives signs of life; one that is silent is asked for one."""
    if link.heard or link.pauses:
        link.heard = False
        link.quiet = 0.0
        return True
    before, link.quiet = link.quiet, link.quiet + elapsed
    if before < ping <= link.quiet:
        link.control(Opcode.PING, b"")
    # Whoever was asked has a whole look to answer, however often it is asked.
    return link.quiet < max(2 * ping, ping + 2 * SWEEP)
