"""The edge's side of the warden: says orders, and says those that stand again to each warden that comes.

Nothing waits for an answer; who wants to know is told. A warden that is not there, or refuses, costs what it was asked
for and nothing else: that is counted, and told once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Final, cast

import orjson

from sbc.kernel.orders import LONGEST_LINE, Order, encode, name_of
from sbc.telemetry import logs

log = logs.get("sbc.kernel")

MOST_UNANSWERED: Final = 4096
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries to reach the warden."""
AGAIN: Final = 10.0
"""Seconds after which an order that stands and was refused is said again: the edge in whose way it was may be gone, the
process before this one when it is succeeded."""

Counts = MutableMapping[tuple[str, str], int]
Answered = Callable[[bool], None]
"""Told whether an order was done. Never told if its warden is gone before it says so."""


class Ward:
    """The orders of one edge."""

    def __init__(self, path: str, counts: Counts) -> None:
        """path: of the warden's socket. counts: orders by name and outcome: done, refused, or unsaid."""
        self._path = path
        self._counts = counts
        self._standing: dict[str, Order] = {}
        self._line: _Line | None = None
        self._watching: list[Callable[[bool], None]] = []

    def watch(self, told: Callable[[bool], None]) -> None:
        """Tell this one of each warden that comes (after the orders that stand), and of each that is gone."""
        self._watching.append(told)

    @property
    def reached(self) -> bool:
        """Whether there is a warden now."""
        return self._line is not None

    def keep(self, name: str, order: Order) -> None:
        """Say an order now, and again to each warden that comes. name: what it replaces the former one of."""
        if self._standing.get(name) == order:
            return
        self._standing[name] = order
        if self.reached:
            self._say_standing(name, order)

    def drop(self, name: str, undoing: Order) -> None:
        """Say a standing order no more, and one that undoes it."""
        if self._standing.pop(name, None) is not None and self.reached:
            self.tell(undoing)

    def kept(self) -> tuple[str, ...]:
        """The names of the orders that stand."""
        return tuple(self._standing)

    def tell(self, order: Order, answered: Answered | None = None) -> None:
        """Say an order once. If there is no warden, or it does not come after, the order is only counted."""
        if self._line is None or not self._line.say(order, answered):
            self._counts[name_of(order), "unsaid"] += 1

    async def run(self) -> None:
        """Keep the connection, until cancelled."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        try:
            while True:
                line = _Line(self._counts, loop.create_future())
                try:
                    await loop.create_unix_connection(partial(_itself, line), self._path)
                except OSError as error:
                    if pause == FIRST_PAUSE:
                        log.warning("warden_not_reached", path=self._path, why=error.strerror)
                else:
                    self._begin(line)
                    pause = FIRST_PAUSE
                    await line.gone
                    self._line = None
                    log.warning("warden_lost", path=self._path)
                    self._tell_watching(False)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            if self._line is not None:
                self._line.close()

    def _begin(self, line: "_Line") -> None:
        self._line = line
        log.info("warden_reached", path=self._path)
        for name, order in self._standing.items():
            self._say_standing(name, order)
        self._tell_watching(True)

    def _say_standing(self, name: str, order: Order) -> None:
        self.tell(order, partial(self._answered, name, order, self._line))

    def _answered(self, name: str, order: Order, line: "_Line | None", done: bool) -> None:
        if not done:
            asyncio.get_running_loop().call_later(AGAIN, self._again, name, order, line)

    def _again(self, name: str, order: Order, line: "_Line | None") -> None:
        if line is self._line and self._standing.get(name) == order:
            self._say_standing(name, order)

    def _tell_watching(self, there: bool) -> None:
        for told in self._watching:
            told(there)


class _Line(asyncio.Protocol):
    """One connection to a warden; it answers in the order in which it is told."""

    def __init__(self, counts: Counts, gone: "asyncio.Future[None]") -> None:
        self._counts = counts
        self.gone = gone
        self._unanswered: deque[tuple[str, Answered | None]] = deque()
        self._rest = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def say(self, order: Order, answered: Answered | None) -> bool:
        """False: too much is unanswered."""
        if self._transport.is_closing() or len(self._unanswered) >= MOST_UNANSWERED:
            return False
        self._unanswered.append((name_of(order), answered))
        self._transport.write(encode(order))
        return True

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE or len(lines) > len(self._unanswered):
            self._transport.abort()
            return
        for line in lines:
            self._answered(*self._unanswered.popleft(), line)

    def _answered(self, name: str, answered: Answered | None, line: bytes) -> None:
        try:
            answer = orjson.loads(line)
        except orjson.JSONDecodeError:
            answer = None
        done = answer == {"done": True}
        self._counts[name, "done" if done else "refused"] += 1
        if not done:
            why = answer.get("error") if isinstance(answer, dict) else None
            log.warning("order_refused", order=name, why=why or "an answer that is none")
        if answered is not None:
            answered(done)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def close(self) -> None:
        """The edge stops: what it ordered is undone by that."""
        self._transport.close()


def _itself(line: _Line) -> _Line:
    return line
