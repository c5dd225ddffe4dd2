"""One HTTP request of a session and its answer: what an agent that is spoken to over HTTP holds in hand.

Its messages are counted, so that the agent need not: each event of an answer is one, any other answer is one in all.
After a handover the request comes again. `resumed` says whether the session's state knows it already, and `said` how
far its answer is in that state: the agent goes on behind that. What the client was given beyond it goes nowhere.

    node = Node("ws://127.0.0.1:9071/trunk", pool="chat", name="a", url="http://127.0.0.1:9001")

    @node.answers
    async def chat(exchange: Exchange) -> None:
        history = json.loads(exchange.session.state or "[]")
        if not exchange.resumed:
            history.append(exchange.text)
        for number in range(exchange.said, 3):
            await exchange.send(f"{number}: {len(history)} messages so far")
            exchange.session.checkpoint(json.dumps(history))

    web.run_app(node.app(), port=9001)
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from sbc.sdk.answer import Answer, Asked

if TYPE_CHECKING:
    from sbc.sdk.http_session import HttpSession

EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}

Answerer = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """Read what is asked; then `send` events, or `reply` once."""

    def __init__(self, session: "HttpSession", asked: Asked, body: bytes, answer: Answer, number: int, *, resumed: bool,
                 given: int, covered: int, whole: bool) -> None:
        """given: how many messages of the answer the client has; covered: how many of those the state knows of."""
        self.session = session
        self.method, self.target, self.headers = asked.method, asked.target, asked.headers
        self.body = body
        self.number = number
        """Which request of its session it is, from 1; 0: it is not counted."""
        self.resumed = resumed
        self.said = covered
        self.whole = whole
        """The client has the whole answer from a former owner: only what the request does to the state matters."""
        self.over = False
        self._answer = answer
        self._given = given
        self._skip = given - covered
        self._begun = False

    @property
    def text(self) -> str:
        """The body as text. Raises UnicodeDecodeError."""
        return self.body.decode()

    async def send(self, data: str, *, event: str = "", identity: str = "") -> None:
        """Send one event; it goes nowhere if the client already has it. Raises SessionClosed."""
        await self._begin(200, EVENTS)
        self._count()
        if self.whole:
            return
        if self._skip > 0:
            self._skip -= 1
            return
        head = (f"id: {identity}\n" if identity else "") + (f"event: {event}\n" if event else "")
        lines = "".join(f"data: {line}\n" for line in data.split("\n"))
        await self._answer.send(f"{head}{lines}\n".encode())

    async def reply(self, body: Any, *, status: int = 200, content_type: str = "") -> None:
        """Answer at once: with text, with bytes, or with anything else as JSON. Raises SessionClosed."""
        kind, content = _content(body)
        headers = {"Content-Type": content_type or kind, "Content-Length": str(len(content))}
        await self._begin(status, headers)
        await self._answer.send(content)
        self._count()
        await self.finish()

    async def finish(self) -> None:
        """The answer is complete; an agent that returns need not say so."""
        if self.over:
            return
        if not self._begun:
            await self._begin(204 if self._given == 0 else 200, {} if self._given == 0 else EVENTS)
        while self.said < self._given:  # this time there was less to say: the client has the rest all the same
            self._count()
        self.over = True
        await self._answer.finish()

    async def refuse(self, reason: str) -> None:
        """The agent failed before it said anything."""
        if not self._begun:
            await self.reply({"error": {"code": "agent_failed", "message": reason}}, status=500)

    async def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        if not self._begun:
            self._begun = True
            await self._answer.begin(status, headers)

    def _count(self) -> None:
        self.said += 1
        self.session.sent += 1


def _content(body: Any) -> tuple[str, bytes]:
    if isinstance(body, bytes):
        return "application/octet-stream", body
    if isinstance(body, str):
        return "text/plain; charset=utf-8", body.encode()
    return "application/json", json.dumps(body).encode()
