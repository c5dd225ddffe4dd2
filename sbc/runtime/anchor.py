"""The address that edges share, as this one keeps it: asks the store, orders the warden (core/floating.py decides).

It is asked for as long as this edge is fit to serve clients. An edge that stops or is drained gives it up once its
clients were told to come back, and another one has it as soon as it asks the next time.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from sbc.config.model import SharedAddress
from sbc.core.floating import Ask, Drop, Floating, Order, Put, Tell, Where, Yield
from sbc.core.tenure import EARLY
from sbc.kernel.orders import Assign, Release
from sbc.kernel.ward import Ward
from sbc.model.errors import StoreError
from sbc.model.interfaces import SharedStore
from sbc.telemetry.metrics import Metrics

BEAT: Final = 0.5
"""Seconds between two questions to the store."""
PATIENCE: Final = 2.0
"""Seconds for which an edge that stops waits for the warden to take the address off the device."""


class Anchor:
    """Keeps one address."""

    def __init__(self, terms: SharedAddress, store: SharedStore, ward: Ward, fit: Callable[[], bool], metrics: Metrics,
                 announce: Callable[[str, Mapping[str, Any]], None]) -> None:  # fmt: skip
        """fit: whether this edge is to have it now."""
        self._terms = terms
        self._store = store
        self._ward = ward
        self._fit = fit
        self._metrics = metrics
        self._announce = announce
        self._floating = Floating(terms.lease)
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._left = asyncio.Event()
        self._left.set()
        self._leaving = self._passed_on = False
        ward.watch(self._warden_there)

    async def run(self) -> None:
        """Ask for it, and keep it, until cancelled, left or passed on."""
        while not self._leaving:
            began = self._loop.time()
            self._do(self._floating.wish(self._fit(), began))
            for order in self._do(self._floating.beat(began)):
                if isinstance(order, Ask):
                    await self._ask(order.number)
            await asyncio.sleep(max(0.0, began + BEAT - self._loop.time()))

    def pass_on(self) -> None:
        """A successor of this process, on the same machine, takes it from here under a number of its own: the warden
        leaves it on the device."""
        self._leaving = self._passed_on = True
        if self._alarm is not None:
            self._alarm.cancel()

    async def leave(self) -> None:
        """Give it up, and come back once it is off the device and the store knows; or nobody says so in time."""
        if self._passed_on:
            return
        self._leaving = True
        self._do(self._floating.wish(False, self._loop.time()))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._left.wait()
        except TimeoutError:
            pass  # the warden takes it off when our connection ends, or its time does
        if self._alarm is not None:
            self._alarm.cancel()

    def _warden_there(self, there: bool) -> None:
        self._do(self._floating.warden_there(there, self._loop.time()))

    async def _ask(self, number: int) -> None:
        asked = self._loop.time()
        try:
            given = await self._store.hold(self._terms.share, number, self._terms.lease)
        except StoreError:
            return  # which is told elsewhere; what is ours stays ours until its lease is over
        if self._passed_on:
            return
        now = self._loop.time()
        self._do(self._floating.granted(asked, given, now) if given else self._floating.refused(now))

    def _do(self, orders: Sequence[Order]) -> Sequence[Order]:
        floating = self._floating
        for order in orders:
            match order:
                case Put(until, number):
                    assign = Assign(self._terms.device, self._terms.share, int(until * 1000), number)
                    self._ward.tell(assign, partial(self._told, floating.assigned))
                    self._wake_at(until)
                case Drop():
                    release = Release(self._terms.device, self._terms.share)
                    self._ward.tell(release, partial(self._told, floating.dropped))
                case Yield(number):
                    self._store.vacate(self._terms.share, number)
                case Tell(event):
                    self._metrics.address_changes[event.removeprefix("address_")] += 1
                    self._announce(event, {"address": self._terms.share, "device": self._terms.device})
        self._metrics.address_held = floating.held
        if floating.where is Where.AWAY:
            self._left.set()
        else:
            self._left.clear()
        return orders

    def _told(self, fact: Callable[[bool, float], Sequence[Order]], done: bool) -> None:
        self._do(fact(done, self._loop.time()))

    def _wake_at(self, until: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(until, self._look)

    def _look(self) -> None:
        self._do(self._floating.look(self._loop.time() + EARLY))
