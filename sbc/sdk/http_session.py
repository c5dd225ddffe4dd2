"""One session on a node whose messages are HTTP requests: whose turn it is, what is counted, what is made durable.

Requests are taken in the order of their numbers, which is the order in which the edge took them from the client; they
may arrive in another one, for each comes over a connection of its own. A request is received once the agent was given
it. One at a time, unless the agent said that it can answer several side by side.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from sbc.model.binding import Checkpoint, Resume
from sbc.model.leg import Role
from sbc.sdk.answer import Answer, Asked
from sbc.sdk.exchange import Answerer, Exchange
from sbc.sdk.link import SessionClosed
from sbc.sdk.opening import Opening
from sbc.sdk.session import STATE_LIMIT

GAP = 2.0
"""How long a request waits for those before it: one that does not come was lost with an overflowing journal."""

log = logging.getLogger("sbc.sdk")

Tell = Callable[[dict[str, Any]], None]


class HttpSession:
    """What the exchanges of a session share: its `state`, and `checkpoint` for what must survive this node."""

    def __init__(self, opening: Opening, state: str | None, point: Resume | None, tell: Tell, edge: str, *,
                 ordered: bool, side_by_side: bool, regenerates: bool) -> None:
        """ordered: whether the edge sends every request of the session; point: from where it goes on."""
        self.id = opening.session
        self.epoch = opening.epoch
        self.role = Role.OWNER
        self.agent = opening.agent
        self.continuity = opening.continuity
        self.principal = opening.principal
        self.edge = edge
        """The name of the edge that has the session; empty: it came without an invitation, and nobody has said."""
        self.state = state
        """The last checkpoint's: of the owner before, or what was made durable here."""
        self.received = point.received if point else 0
        self.sent = point.sent if point else 0
        self.kept: Checkpoint | None = None
        """The last checkpoint made here."""
        self.checkpoint_requested = False
        """The edge would like a checkpoint soon: the session is about to move."""
        self.touched = asyncio.get_running_loop().time()
        """When a request of it came last, by the loop's clock."""
        self._tell = tell
        self._ordered = ordered
        self._side_by_side = side_by_side
        self._regenerates = regenerates
        self._known = self.received
        """Requests up to this one are in the state that the session began with here."""
        self._awaited = opening.open
        """How many of those will come again."""
        self._line: set[int] = set()
        """Requests that wait for their turn."""
        self._answers: dict[int, Exchange] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._moved = asyncio.Condition()

    # For the agent.

    def checkpoint(self, state: str) -> None:
        """Tell the edge that `state` covers every request taken and every message said so far, of all answers that are
        under way. Raises ValueError over 64 KiB."""
        if len(state.encode()) > STATE_LIMIT:
            raise ValueError(f"a checkpoint's state may have {STATE_LIMIT} bytes")
        self.state = state
        self.kept = Checkpoint(self.received, self.sent, state, self._under_way())
        self.checkpoint_requested = False
        self.tell_checkpoint()

    # For the node.

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._tasks)

    @property
    def is_covered(self) -> bool:
        """Whether the last checkpoint covers everything so far."""
        kept = self.kept
        return kept is not None and (kept.received, kept.sent) == (self.received, self.sent)

    def tell_checkpoint(self) -> None:
        """Tell the edge the last checkpoint (again)."""
        kept = self.kept
        if kept is not None:
            answers = {str(number): said for number, said in (kept.answers or {}).items()}
            self._tell({"type": "checkpoint", "session": self.id, "epoch": self.epoch, "received": kept.received,
                        "sent": kept.sent, "answers": answers, "state": kept.state})

    def release(self) -> None:
        """The session is no longer this node's: it must not go on here too."""
        self.stop()

    def stop(self) -> None:
        """Give up what is under way; the edge takes the session elsewhere."""
        for task in tuple(self._tasks):
            task.cancel()

    async def take(self, asked: Asked, answer: Answer, opening: Opening, agent: Answerer) -> None:
        """Have the agent answer a request when it is its turn. What the agent raises is raised."""
        number = opening.number
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.touched = asyncio.get_running_loop().time()
        try:
            exchange = await self._begin(asked, answer, opening)
            try:
                await self._answer(exchange, agent)
            finally:
                if self._answers.get(number) is exchange:
                    del self._answers[number]
                async with self._moved:
                    self._moved.notify_all()
        finally:
            self._tasks.discard(task)

    async def _begin(self, asked: Asked, answer: Answer, opening: Opening) -> Exchange:
        number, covered = opening.number, opening.covered
        body = await asked.read()  # what is counted as taken can be put into a state at once
        resumed = 0 < number <= self._known
        if number and self._ordered and not resumed:
            await self._turn(number)
        given = covered if self._regenerates else opening.given
        exchange = Exchange(self, asked, body, answer, number, resumed=resumed, given=given, covered=covered,
                            whole=opening.whole)
        if number:
            self._answers[number] = exchange
            self.received = max(self.received, number)
            self._awaited -= resumed
            async with self._moved:
                self._moved.notify_all()
        return exchange

    async def _turn(self, number: int) -> None:
        """Wait until all before it are taken, and answered."""
        self._line.add(number)
        try:
            async with self._moved:
                while not (self._is_first(number) and self._awaited <= 0 and number <= self.received + 1):
                    try:
                        async with asyncio.timeout(GAP if self._is_first(number) else None):
                            await self._moved.wait()
                    except TimeoutError:
                        log.warning("session %s: what came before request %d is missing", self.id, number)
                        return
        finally:
            self._line.discard(number)

    def _is_first(self, number: int) -> bool:
        return number == min(self._line) and (self._side_by_side or not self._answers)

    async def _answer(self, exchange: Exchange, agent: Answerer) -> None:
        try:
            await agent(exchange)
            await exchange.finish()
        except SessionClosed:
            pass  # nobody waits for the rest
        except Exception:
            with contextlib.suppress(SessionClosed):
                await exchange.refuse("the agent failed")
            raise

    def _under_way(self) -> dict[int, int]:
        return {number: exchange.said for number, exchange in self._answers.items() if not exchange.over}
