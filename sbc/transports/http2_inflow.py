"""What an HTTP/2 connection reads: budgeted before the engine sees it, and worked off in portions.

After each portion the loop sees to others. What is left of a read waits for the next turn: no more than one read, as
nothing is read then.
"""

import asyncio
from typing import Protocol

from sbc.wire.http2.budget import Budget
from sbc.wire.http2.engine import Engine


class Mouth(Protocol):
    """The connection."""

    @property
    def outflow(self) -> "Scheduled":
        """Its writing side."""

    def worked(self) -> None:
        """A portion was worked off, or the budget is broken: see to what comes of it, and write."""


class Scheduled(Protocol):
    scheduled: bool
    """Whether it is going to be written anyway."""


class Inflow:
    """The reading side of one connection."""

    __slots__ = ("_backlog", "_budget", "_engine", "_loop", "_mouth", "_shut", "_transport")

    def __init__(self, mouth: Mouth, engine: Engine, budget: Budget, loop: asyncio.AbstractEventLoop) -> None:
        self._mouth = mouth
        self._engine = engine
        self._budget = budget
        self._loop = loop
        self._transport: asyncio.Transport
        self._backlog = b""
        self._shut = False

    def begin(self, transport: asyncio.Transport) -> None:
        """This is what is read."""
        self._transport = transport

    def shut(self) -> None:
        """Nothing more is worked off."""
        self._shut = True
        self._backlog = b""

    def take(self, data: bytes) -> None:
        """What was read."""
        if self._backlog:
            self._backlog += data
        elif not self._shut:
            self._work(data)

    def _work(self, data: bytes) -> None:
        """Work off as much as one turn of the loop has room for."""
        budget = self._budget
        portion = budget.charge(data, self._loop.time())
        if not budget.fault:
            self._mouth.outflow.scheduled = True  # it is written below
            self._engine.receive(data if portion == len(data) else data[:portion])
        if portion < len(data) and not self._shut and not budget.fault:
            if not self._backlog:
                self._transport.pause_reading()
            self._backlog = data[portion:]
            self._loop.call_soon(self._work_on)
        self._mouth.worked()

    def _work_on(self) -> None:
        data, self._backlog = self._backlog, b""
        if data and not self._shut:
            self._transport.resume_reading()
            self._work(data)
