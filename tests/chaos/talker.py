"""A client with a WebSocket session, written from docs/CLIENTS.md section 3: it talks, and wanders from edge to edge.

It keeps all that it ever said, so that an edge which had forgotten some is told again. Recorded: sessions (`begins`,
`ends`), each attempt to come in (`dial`, `in`, `refused`, `unreachable`), what is said and heard, each end of a
connection (`out`, with whose doing it was).
"""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.carriers import Refused, Socket, Unreached, dial
from tests.support.history import History

PING = 1.0
AHEAD = 60
"""How many of its messages a client lets be unanswered."""
STAY = 8.0
"""Seconds that a client that wanders stays at an edge, on an average."""
FATAL, BARRED = (400, 401, 403, 404), (401, 403)


@dataclass(frozen=True, slots=True)
class Way:
    """How a client comes in. It shows its name as its key."""

    edges: Sequence[str]
    transport: str
    ca_file: str
    stays: bool
    """It leaves no edge by itself."""


class Talker:
    """`settle()` ends the wandering: what was said is answered, and the session ends."""

    def __init__(self, name: str, path: str, way: Way, history: History, dice: random.Random, exact: bool) -> None:
        """exact: its agent makes checkpoints: each message has to be answered."""
        self.name, self.path, self.exact = name, path, exact
        self._way = way
        self._edges, self._history, self._dice = list(way.edges), history, dice
        self._settling = asyncio.Event()
        self._number = 0
        self._edge = dice.choice(self._edges)
        self._begin()

    def settle(self) -> None:
        self._settling.set()

    async def run(self) -> None:
        """Until it has settled."""
        while not self._over:
            await self._connect()

    def _begin(self) -> None:
        self._number += 1
        self.session = f"{self.name}.{self._number}"
        self._token, self._said, self._owed = "", list[str](), 0
        self._received, self._last, self._over = 0, 0, False
        self._note("begins", path=self.path, exact=self.exact, transport=self._way.transport)

    def _note(self, what: str, **facts: Any) -> None:
        self._history.write(what, client=self.session, **facts)

    async def _connect(self) -> None:
        edge = self._edge
        self._note("dial", edge=edge)
        hello = {"Session-Id": self._token, "Session-Received": str(self._received)} if self._token else {}
        try:
            socket = await dial(self._way.transport, edge, self.path, {"X-Api-Key": self.name} | hello,
                                self._way.ca_file)
        except Refused as refused:
            self._note("refused", edge=edge, status=refused.status, body=refused.body)
            self._refused(refused)
            await asyncio.sleep(self._dice.uniform(0.2, 1.0))
        except Unreached as fault:
            self._note("unreachable", edge=edge, why=str(fault))
            await asyncio.sleep(self._dice.uniform(0.1, 0.6))
            self._edge = self._dice.choice(self._edges)
        else:
            await self._stay(edge, socket)

    def _refused(self, refused: Refused) -> None:
        if refused.status in FATAL:
            self._note("ends", why=f"refused {refused.status}")
            self._begin()
        else:
            self._edge = self._dice.choice(self._edges)

    async def _stay(self, edge: str, socket: Socket) -> None:
        told = socket.fields
        returning, gap, has = bool(self._token), int(told.get("session-gap", 0)), int(told.get("session-received", 0))
        self._token = told["session-id"]
        self._note("in", edge=edge, returning=returning, gap=gap, has=has, received=self._received)
        self._received += gap
        if not self.exact:
            self._last = 0  # what was said last may have been lost with a node
        whose = "theirs"
        speaking = asyncio.create_task(self._speak(socket, has))
        watching = asyncio.create_task(self._watch(socket))
        try:
            stays = self._way.stays or self._settling.is_set()
            async with asyncio.timeout(None if stays else self._dice.expovariate(1 / STAY)) as stay:
                leaving = asyncio.create_task(self._stay_if_settling(stay))
                try:
                    while (text := await socket.receive()) is not None:
                        self._hear(edge, json.loads(text))
                        if self._answered():
                            whose = "settled"
                            break
                finally:
                    leaving.cancel()
        except TimeoutError:
            whose = "mine"
        if whose == "theirs" and watching.done() and watching.result():
            whose = "silent"
        speaking.cancel()
        watching.cancel()
        await self._leave(edge, socket, whose)

    async def _watch(self, socket: Socket) -> bool:
        """Leave an edge that answers no ping: whether it was so."""
        try:
            while True:
                await asyncio.sleep(PING)
                async with asyncio.timeout(2 * PING):
                    await socket.ping()
        except TimeoutError:
            socket.abort()
            return True
        except ConnectionError:
            return False

    async def _stay_if_settling(self, stay: asyncio.Timeout) -> None:
        await self._settling.wait()
        stay.reschedule(None)

    async def _leave(self, edge: str, socket: Socket, whose: str) -> None:
        """whose: `mine` if the time has come to go elsewhere, `settled` if all is answered."""
        code, reason = socket.ended
        self._note("out", edge=edge, whose=whose, code=code, reason=reason)
        if whose == "settled":
            await socket.close(1000)
            self._over = True
            self._note("settled")
            return
        if whose == "mine":
            if self._dice.random() < 0.5:
                socket.abort()
            else:
                await socket.close(1001)
        elif code in (1000, 1002, 1003, 1007, 1008, 1009, 4409) or (code == 1014 and "gap=" in reason):
            self._note("ends", why=f"closed {code} {reason}")
            self._begin()
        socket.abort()
        if whose != "theirs" or self._dice.random() < 0.5:
            self._edge = self._dice.choice(self._edges)
        await asyncio.sleep(0)

    async def _speak(self, socket: Socket, has: int) -> None:
        """Say again what the edge has not, then something new now and then."""
        try:
            for text in self._said[has:]:
                await socket.send(text)
            while not self._settling.is_set():
                await asyncio.sleep(self._dice.uniform(0.05, 0.5))
                if self._owed - self._received < AHEAD or not self.exact:
                    await self._say(socket)
            if self._last == 0:
                await self._say(socket)
                self._last = len(self._said)
        except ConnectionError:
            pass  # the reader learns of it too

    async def _say(self, socket: Socket) -> None:
        say = self._dice.choice((1, 1, 2, 3, 8))
        message = {"n": len(self._said) + 1, "say": say, "every": 0.03 if say > 3 else 0.0}
        self._said.append(json.dumps(message))
        self._owed += say
        self._note("say", n=message["n"], say=say)
        await socket.send(self._said[-1])

    def _hear(self, edge: str, message: dict[str, Any]) -> None:
        self._received += 1
        self._note("heard", edge=edge, **message)
        if not self.exact and message["n"] == self._last:
            self._last = -1

    def _answered(self) -> bool:
        return self._last < 0 or (self.exact and self._last > 0 and self._received >= self._owed)


class Outcast(Talker):
    """One that is good no more from some time on: it never stops asking."""

    def _refused(self, refused: Refused) -> None:
        if refused.status not in BARRED:
            super()._refused(refused)
        elif self._settling.is_set():
            self._over = True
            self._note("settled")
        else:
            self._edge = self._dice.choice(self._edges)
