"""A client with a session of requests, written from docs/CLIENTS.md section 5: it posts, hears streams, and wanders.

A POST whose answer does not come whole is never asked again: its outcome is unknown. A stream of a GET that breaks is
asked for again, here or at another edge, from its last event's id on. Recorded: `asks`, each piece of an answer
(`told`), and how a request ended: `answered`, `unknown`, `denied` (no node was reached).
"""

import asyncio
import json
import random
from typing import Any

from tests.chaos.carriers import Unreached
from tests.chaos.requests import Answer, Asking, Broken, asking
from tests.chaos.talker import Way
from tests.support.asking import Stream
from tests.support.history import History

POST_WITHIN = 12.0
SILENT = 4.0
"""Seconds without an event after which a stream is asked for at another edge."""
MOST_BITS = 1000


class Asker:
    """As Talker has it."""

    def __init__(self, name: str, way: Way, history: History, dice: random.Random) -> None:
        """One that stays hears each stream to its end."""
        self._way = way
        self._stays = way.stays
        self.name, self._edges, self._history, self._dice = name, list(way.edges), history, dice
        self._edge = dice.choice(self._edges)
        self._bit = 0
        self._settling = False

    def settle(self) -> None:
        self._settling = True

    async def run(self) -> None:
        """Until it has settled."""
        self._note("begins", path="/ask", exact=True, transport=self._way.transport)
        async with asking(self._way.transport, self._way.ca_file) as http:
            while not self._settling or not await self._post(http, 0):
                if self._settling or self._bit >= MOST_BITS:
                    await asyncio.sleep(0.5)
                elif self._dice.random() < 0.3:
                    await self._listen(http)
                else:
                    await self._post(http, self._dice.choice((0, 0, 1, 5, 20)))
                if self._dice.random() < 0.1 and not self._stays:
                    self._elsewhere()
                await asyncio.sleep(self._dice.uniform(0.0, 0.4))
        self._note("settled")

    def _note(self, what: str, **facts: Any) -> None:
        self._history.write(what, client=self.name, **facts)

    def _elsewhere(self) -> None:
        if not self._stays:
            self._edge = self._dice.choice(self._edges)

    def _next(self) -> int:
        self._bit += 1
        return self._bit

    async def _post(self, http: Asking, say: int) -> bool:
        """Whether it was answered."""
        bit, edge = self._next(), self._edge
        self._note("asks", bit=bit, method="POST", say=say, edge=edge)
        try:
            async with asyncio.timeout(POST_WITHIN), http.ask(
                    "POST", edge, "/ask", self._shown, {"bit": bit, "say": say, "every": 0.03}) as answer:
                if answer.status != 200:
                    self._refused(bit, answer, (await answer.read())[:300].decode(errors="replace"))
                    return False
                pieces = await self._pieces(answer, bit, edge)
            if pieces != max(1, say):
                self._note("short", bit=bit, pieces=pieces, say=say, edge=edge)
            self._note("answered", bit=bit, edge=edge)
            return True
        except Unreached as fault:
            self._note("denied", bit=bit, status=0, why=str(fault), edge=edge)
        except (Broken, TimeoutError) as fault:
            self._note("unknown", bit=bit, why=repr(fault)[:200], edge=edge)
        self._elsewhere()
        return False

    @property
    def _shown(self) -> dict[str, str]:
        return {"X-Chat": self.name, "X-Api-Key": self.name}

    def _refused(self, bit: int, answer: Answer, body: str) -> None:
        outcome = answer.headers.get("session-outcome", "")
        unknown = outcome == "unknown" or (answer.status >= 500 and outcome != "not-sent")
        self._note("unknown" if unknown else "denied", bit=bit, status=answer.status, why=f"{outcome} {body}",
                   edge=self._edge)
        self._elsewhere()

    async def _pieces(self, answer: Answer, bit: int, edge: str) -> int:
        """Read an answer; how many messages it had."""
        self._note("in", bit=bit, edge=edge, status=answer.status)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            self._note("told", edge=edge, **(json.loads(await answer.read()) | {"i": 0}))
            return 1
        noted = _Noted(self, edge)
        async for piece in answer.pieces:
            noted.take(piece)
        return noted.count

    async def _listen(self, http: Asking) -> None:
        """A stream of events, to its end over however many connections."""
        bit, say, last = self._next(), self._dice.randint(5, 80), ""
        self._note("asks", bit=bit, method="GET", say=say, edge=self._edge)
        path = f"/ask?bit={bit}&say={say}&every=0.05"
        noted = _Noted(self, self._edge)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + 60
        while loop.time() < give_up and not self._settling:
            edge = noted.edge = self._edge
            headers = self._shown | {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            try:
                async with asyncio.timeout(SILENT) as silence, http.ask("GET", edge, path, headers) as answer:
                    self._note("in", bit=bit, edge=edge, status=answer.status, last=last)
                    if answer.status == 200:
                        noted.begin()
                        leave_at = say + 1 if self._stays else self._dice.randint(3, 100)
                        async for piece in answer.pieces:
                            noted.take(piece)
                            silence.reschedule(loop.time() + SILENT)
                            if noted.count >= leave_at:
                                break
                        else:
                            self._note("answered", bit=bit, edge=edge)
                            return
            except (Broken, Unreached, TimeoutError) as fault:
                self._note("broken", bit=bit, edge=edge, why=repr(fault)[:200])
            last = noted.last
            if noted.count >= say:  # only its end is missing: asked for again it would begin anew
                self._note("answered", bit=bit, edge=edge)
                return
            if not last:
                break  # nothing has come that could be gone on behind
            self._elsewhere()
            await asyncio.sleep(self._dice.uniform(0.05, 0.5))
        self._note("unknown", bit=bit, why=f"given up after {noted.count}", edge=self._edge)


class _Noted:
    """The events of an answer, each recorded as it comes."""

    def __init__(self, asker: Asker, edge: str) -> None:
        self.edge = edge
        self.last = ""
        self.count = 0
        self._asker = asker
        self._stream = Stream()

    def begin(self) -> None:
        """Another connection: half an event of the one before is none."""
        self._stream = Stream()

    def take(self, piece: bytes) -> None:
        before = len(self._stream.events)
        self._stream._feed(piece)
        for event in self._stream.events[before:]:
            self.last = event.identity or self.last
            if event.name == "session-gap":
                self._asker._note("gap", edge=self.edge, lost=event.json["lost"])
            else:
                self.count = event.json["i"] + 1
                self._asker._note("told", edge=self.edge, **event.json)
