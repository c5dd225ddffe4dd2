"""A client that sends faster than its policy allows is not read for a while: TCP or the stream's window slows it down,
and nothing that it says is dropped."""

import asyncio
from typing import Protocol

from sbc.core.dialog import Dialog
from sbc.core.meter import Meter
from sbc.model.errors import CloseCode
from sbc.runtime.house import House
from sbc.wire.link import Link, Pause

LONGEST_WAIT = 60.0
"""A client that owes so many seconds after one read is expelled: an edge that reads nothing for longer would not see
it leave, and no honest client is so far over its rate."""


class Expeller(Protocol):
    """The session, as far as a throttle needs it."""

    house: House
    dialog: Dialog

    def expel(self, code: CloseCode, reason: str) -> None:
        """End it for something that its client did."""


class Throttle:
    """Measures one connection of a session's client. Implements Gauge."""

    __slots__ = ("_counted", "_meter", "_session", "_timer")

    def __init__(self, session: Expeller, meter: Meter) -> None:
        self._session = session
        self._meter = meter
        self._counted = session.dialog.inbound.count
        self._timer: asyncio.TimerHandle | None = None
        """While the connection is not read."""

    def watch(self, link: Link) -> None:
        """Measure what is read from a new connection: it is not read before what came on those before it is paid."""
        link.gauge = self
        self.measure(link, 0)

    def measure(self, link: Link, octets: int) -> None:
        house, count = self._session.house, self._session.dialog.inbound.count
        now = house.loop.time()
        self._meter.spend(count - self._counted, octets, now)
        self._counted = count
        limit, wait = self._meter.owed(0, now)
        if wait > LONGEST_WAIT:  # of a rate that it shares it may be others that owe so much
            house.metrics.abuse[limit] += 1
            self._session.expel(CloseCode.POLICY, limit)
            return
        limit, wait = self._meter.wait(0, now)
        if wait and self._timer is None:
            house.metrics.throttled[limit] += 1
            link.pause(Pause.TOO_FAST)
            self._timer = house.loop.call_later(min(wait, LONGEST_WAIT), self._go_on, link)

    def stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _go_on(self, link: Link) -> None:
        self._timer = None
        loop = self._session.house.loop
        _, wait = self._meter.wait(0, loop.time())
        if wait:  # what stood in a buffer of TLS or a stream came all the same
            self._timer = loop.call_later(min(wait, LONGEST_WAIT), self._go_on, link)
        else:
            link.resume(Pause.TOO_FAST)
