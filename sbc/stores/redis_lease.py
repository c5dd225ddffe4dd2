"""This edge's lease in the Redis store: its renewal, the connection that shows that the edge lives, and the fence.

An edge whose lease is over before it was renewed lets go of all its sessions, and goes on under another tenure.
"""

import asyncio
import math
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from redis.asyncio.connection import Connection

from sbc.core.tenure import EARLY, Grounds, Tenure
from sbc.model.errors import StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Keeper, Spawn
from sbc.stores.operations import Question
from sbc.stores.redis_dial import FAULTS
from sbc.stores.redis_link import Link
from sbc.stores.redis_words import ORDERS, Taken, channel
from sbc.stores.shared import Beat, Beaten, Look, Looked

BEAT: Final = 0.25
"""Seconds between two renewals."""
REST: Final = 0.05
"""Seconds before what did not work is tried again."""

WAIT: Final = 2.0
"""Seconds for which who calls for a session waits, too (redis_claims.py)."""


class Ground(Protocol):
    """The store, as far as its lease needs it."""

    @property
    def link(self) -> Link | None:
        """The way to the server, while it works."""

    @property
    def home(self) -> str:
        """Which server has the leases; empty: nobody knows at the moment."""

    async def asked(self, question: Callable[[Callable[[Any], None]], Question]) -> Any:
        """The answer to a question. Raises StoreError."""

    async def over(self, tenure: str, store: str) -> bool:
        """Whether this store (empty: any) says that a tenure is over, by its lease or by the death of its edge.

        Raises StoreError.
        """

    def emptied(self) -> None:
        """The server has forgotten everything."""

    def beating(self) -> bool:
        """Whether the server knows all our sessions. Called after each try to renew the lease."""


class Lease:
    """`me` is the tenure in whose name all is asked; `tenure` says until when it is good."""

    def __init__(self, name: str, edge: str, me: str, seconds: float, spawn: Spawn, ground: Ground) -> None:
        """edge: its name. me: the tenure of a predecessor, to be gone on with; empty: there is none."""
        self.tenure = Tenure(seconds)
        self.grounds = Grounds(seconds)
        self.me = me or f"{edge}/{secrets.token_hex(4)}"
        self.keeper: Keeper | None = None
        self.fenced = 0
        """How often the lease was over before it was renewed."""
        self.works = True
        self.ordered: Callable[[], None] = _nobody
        """Told when another edge has given an order."""
        self.doubted: Callable[[SessionId], bool] = _nothing_doubted
        """Whether the server has yet to be told a session of ours anew."""
        self.introduction: Mapping[str, str] = {}
        """What others are told of this edge."""
        self.ahead = 0.0
        """How far the server's clock is before our monotonic one, in seconds."""
        self._name = name
        self._edge = edge
        self._spawn = spawn
        self._ground = ground
        self._loop = asyncio.get_running_loop()
        self._former = ""
        self._alarm: asyncio.TimerHandle | None = None
        self._line: Connection | None = None
        self._line_at = ""
        """At which server the connection is that shows that we live; empty: there is none."""
        self._first = 0
        """When the server was seen first, by its own clock."""
        self._stopped = False

    def holds(self) -> bool:
        """Whether sessions may be owned now."""
        return self.tenure.holds(self._loop.time())

    async def begin(self, patience: float) -> None:
        """Get the lease. Raises StoreError: not to be reached, or an edge of the same name is alive."""
        listening: asyncio.Future[None] = self._loop.create_future()
        # Before the lease: whoever has a lease and no connection is taken for dead.
        self._spawn("store calls", self._listen(listening))
        try:
            async with asyncio.timeout(4 * patience):
                await listening
        except TimeoutError:
            raise StoreError(f"{self._name}: its orders cannot be listened to") from None
        beats = dict[str, int]()
        while True:
            try:
                await self._beat()
                break
            except Taken as taken:
                there = str(taken)
            # We were here before, and went without a word; or somebody has our name.
            looked: Looked = await self._ground.asked(partial(Look, there, ""))
            if looked.tenure == there and beats.setdefault(there, looked.beat) != looked.beat:
                raise StoreError(f"{self._name}: there is an edge {self._edge} already")
            self._former = there if await self._ground.over(there, "") else ""
            await asyncio.sleep(REST)
        self._spawn("store lease", self._beat_on())

    async def end(self) -> None:
        """The edge is gone of its own will."""
        self._stopped = True
        self.tenure.until = float("-inf")
        if self._alarm is not None:
            self._alarm.cancel()
        await self._hang_up()

    # Renewal.

    async def _beat_on(self) -> None:
        while not self._stopped:
            began = self._loop.time()
            try:
                await self._beat()
            except Taken:
                self._fence("another edge has its name")
            except StoreError as error:
                self._say(False, str(error))
            else:
                self._say(True, "")
            self._ground.beating()
            await asyncio.sleep(max(0.0, began + BEAT - self._loop.time()))

    async def _beat(self) -> None:
        asked, me = self._loop.time(), self.me
        beaten: Beaten = await self._ground.asked(partial(Beat, self._former, self._line_at, self.introduction))
        if me != self.me or self._stopped:
            return
        now = self._loop.time()
        self._former = ""
        self.ahead = beaten.time / 1000 - now
        await self._look_at_store(beaten, now)
        # A server that has forgotten who owns what lets others claim once all leases of the one before it are over: by
        # then it has to know our sessions, or they are not ours any more.
        if self._ground.beating():
            self.tenure.granted(asked)
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = self._loop.call_at(self.tenure.until, self._look_at_clock)

    async def _look_at_store(self, beaten: Beaten, now: float) -> None:
        known, age = self.grounds.known, (beaten.time - beaten.first) / 1000
        changed = self.grounds.seen(beaten.store, age if beaten.store == known else max(age, beaten.settled), now)
        emptied = not changed and beaten.first > self._first
        self._first = beaten.first
        if emptied:
            self.grounds.emptied(now)
            self._ground.emptied()
        if (changed or emptied) and known is not None:
            if self.keeper is not None:
                self.keeper.announce("store_replaced", {"store": self._name})
            await self._hang_up()

    def _look_at_clock(self) -> None:
        if not self.tenure.holds(self._loop.time() + EARLY):
            self._fence("the store was not reached in time")

    def _fence(self, why: str) -> None:
        self.fenced += 1
        self.tenure.until = float("-inf")
        self._former, self.me = self.me, f"{self._edge}/{secrets.token_hex(4)}"
        self._spawn("store calls anew", self._hang_up())
        if self.keeper is not None:
            self.keeper.announce("edge_fenced", {"why": why})
            self.keeper.fenced()

    def _say(self, works: bool, why: str) -> None:
        if works != self.works and self.keeper is not None:
            if works:
                self.keeper.announce("store_works_again", {})
            else:
                left = max(self.tenure.until - self._loop.time(), 0.0)
                self.keeper.announce("store_fails", {"why": why, "lease": round(left, 1)})
        self.works = works

    # The connection that shows that we live, and on which others call us.

    async def _listen(self, listening: "asyncio.Future[None]") -> None:
        while not self._stopped:
            link, home, me = self._ground.link, self._ground.home, self.me
            try:
                if link is not None and home:
                    self._line = line = await link.listen([channel(me), ORDERS])
                    self._line_at = home if home == self._ground.home else ""
                    if not listening.done():
                        listening.set_result(None)
                    while me == self.me and not self._stopped:
                        self._called(await line.read_response(timeout=math.inf))
            except FAULTS:
                pass  # who writes finds out where the server is
            await self._hang_up()
            await asyncio.sleep(REST)

    def _called(self, message: Any) -> None:
        if not isinstance(message, list) or message[0] != b"message":
            return
        if message[1] == ORDERS.encode():
            self.ordered()
        else:
            self._wanted(SessionId(str(message[2], "utf-8", "replace")), self._loop.time() + WAIT)

    def _wanted(self, session: SessionId, until: float) -> None:
        if self.keeper is None or self._stopped:
            return
        if not self.doubted(session):
            self.keeper.wanted(session)
        elif self._loop.time() < until:
            # Let go of now, it would be claimed as the server has it: without what only the server before was told.
            self._loop.call_later(REST, self._wanted, session, until)

    async def _hang_up(self) -> None:
        line, self._line, self._line_at = self._line, None, ""
        if line is not None:
            with suppress(*FAULTS):
                await line.disconnect(nowait=True)


def _nobody() -> None:
    """Nobody has to be told."""


def _nothing_doubted(_session: SessionId) -> bool:
    return False
