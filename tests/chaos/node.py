"""An agent node on sbc.sdk as a process, for WebSockets and for requests: each word of it is determined.

WebSockets: tests/support/conversation.py. Requests: `{"bit": 4, "say": 5, "every": 0.01}` is answered by so many events
(none: one JSON object) with `all`, the sum of `4**bit` of all requests processed so far: a request that was lost or
processed twice shows in every answer after it. `GET`, with the same in its query, is safe: it counts for nothing.

Recorded: each leg or request with its session, epoch and the edge that it came from (`leg`); who owns a session
(`owns`); what the agent took (`took`) and said (`said`).
"""

import argparse
import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from sbc.sdk import Exchange, HttpSession, Node, Session
from tests.support.conversation import Conversation
from tests.support.history import History


class Agent:
    def __init__(self, name: str, history: History) -> None:
        self.name = name
        self.history = history
        self.talks: dict[Session | HttpSession, Any] = {}

    def state(self, session: Session | HttpSession) -> str | None:
        talk = self.talks.get(session)
        if isinstance(talk, Conversation):
            return talk.state()
        return None if talk is None else json.dumps(talk)

    async def chat(self, session: Session) -> None:
        """A WebSocket session."""
        self.history.write("owns", session=session.id, epoch=session.epoch, received=session.received,
                           sent=session.sent, skip=session.skip)
        talk = self.talks[session] = Conversation.resumed(session.received, session.sent, session.state)
        try:
            await self._say(session, talk)
            async for text in session:
                assert isinstance(text, str)
                self.history.write("took", session=session.id, epoch=session.epoch, n=json.loads(text)["n"])
                talk.hear(text)
                await self._say(session, talk)
        finally:
            self.history.write("left", session=session.id, epoch=session.epoch)
            del self.talks[session]

    async def _say(self, session: Session, talk: Conversation) -> None:
        while said := talk.answer(node=self.name, epoch=session.epoch, key=session.id):
            await session.send(said[0])
            self.history.write("said", session=session.id, epoch=session.epoch, m=talk.sent)
            if talk.idle or talk.sent % 3 == 0:  # in the middle of answers too
                session.checkpoint(talk.state())
            await asyncio.sleep(said[1])

    async def answer(self, exchange: Exchange) -> None:
        """A request."""
        session = exchange.session
        if session not in self.talks:
            self.history.write("owns", session=session.id, epoch=session.epoch, received=session.received,
                               sent=session.sent, skip=0)
            self.talks[session] = json.loads(session.state) if session.state else {"all": 0, "open": {}}
        memory, key = self.talks[session], str(exchange.number)
        if not exchange.resumed:
            asked = read(exchange)
            self.history.write("took", session=session.id, epoch=session.epoch, bit=asked["bit"],
                               number=exchange.number)
            memory["all"] += 4 ** asked["bit"] if exchange.method == "POST" else 0
            memory["open"][key] = asked | {"all": memory["all"]}
        asked = memory["open"].get(key)
        if asked is None:
            return  # its last message was said, and only the end of the answer is missing
        said = {"bit": asked["bit"], "all": asked["all"], "node": self.name, "epoch": session.epoch, "key": session.id}
        if asked["say"] == 0:
            await exchange.reply(said)
        for turn in range(exchange.said, asked["say"]):
            await exchange.send(json.dumps(said | {"i": turn}))
            self.history.write("said", session=session.id, epoch=session.epoch, bit=asked["bit"], i=turn)
            if turn % 3 == 0:
                session.checkpoint(json.dumps(memory))
            await asyncio.sleep(asked["every"])
        del memory["open"][key]
        session.checkpoint(json.dumps(memory))


def read(exchange: Exchange) -> dict[str, Any]:
    """What a request asks for."""
    if exchange.method == "POST":
        return dict(json.loads(exchange.text))
    query = parse_qsl(urlsplit(exchange.target).query)
    return {name: float(value) if name == "every" else int(value) for name, value in query}


def noting(history: History) -> Any:
    """Note what comes for which session, and from which edge."""
    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        told = request.headers
        if "Session-Id" in told:
            history.write("leg", session=told["Session-Id"], epoch=int(told["Session-Epoch"]), edge=request.remote,
                          role=told.get("Session-Role", "owner"), resume=told.get("Session-Resume", ""))
        return await handler(request)
    return note


def main() -> None:
    """Serve until killed; SIGTERM drains first."""
    parser = argparse.ArgumentParser()
    for option in ("--name", "--address", "--history", "--secret"):
        parser.add_argument(option, required=True)
    parser.add_argument("--edge", action="append", required=True)
    options = parser.parse_args()
    agent = Agent(options.name, History(options.history))
    node = Node(options.edge, pool="tutors", name=options.name, url=f"http://{options.address}:9000",
                secret=options.secret, drain_for=5.0)
    node.agent(agent.chat)
    node.answers_side_by_side(agent.answer)
    node.on_checkpoint(agent.state)
    app = node.app()
    app.middlewares.append(noting(agent.history))
    web.run_app(app, host="0.0.0.0", port=9000, access_log=None, print=None)


if __name__ == "__main__":
    main()
