"""The demo's agent: answers every message word by word, slowly, and remembers the conversation.

    python -m sbc.demo.agent --name a --port 9001 --edge ws://127.0.0.1:9071/trunk

What it says depends on the conversation alone, so any node can go on with any answer: after a handover the new owner
says the half-finished answer again from its first word, and the SDK lets the client hear only what it has not heard.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from sbc.sdk import Exchange, Node, Session

REMEMBERED, RECALLED = 20, 200
"""How many messages the agent can recall, and how many characters of each: its state stays far below 64 KiB."""

log = logging.getLogger("sbc.demo")


class Conversation:
    """What was said to the agent; `state` is all it needs to go on elsewhere."""

    def __init__(self, state: str | None) -> None:
        known: dict[str, Any] = json.loads(state) if state else {"count": 0, "said": []}
        self.count: int = known["count"]
        self.said: list[str] = known["said"]

    def hear(self, message: str) -> None:
        """Take a message."""
        self.count += 1
        self.said = [*self.said, message[:RECALLED]][-REMEMBERED:]

    def answer(self) -> list[str]:
        """The words of the answer to the last message."""
        text = f"This is message {self.count}: you say “{self.said[-1]}”. "
        if len(self.said) > 1:
            text += f"Before that you said “{self.said[-2]}”, and the first thing I remember is “{self.said[0]}”."
        else:
            text += "It is the first thing I hear from you, and I shall remember it wherever I am."
        return text.split()

    @property
    def state(self) -> str:
        """For a checkpoint."""
        return json.dumps({"count": self.count, "said": self.said})


class Chat:
    """The agent. delay: seconds between words. signature: a word that each answer begins with, if any."""

    def __init__(self, delay: float, signature: str | None) -> None:
        self._delay = delay
        self._signature = signature
        self._answering = 0

    async def converse(self, session: Session) -> None:
        """One session, from where its last owner left it."""
        log.info("%s: %s at epoch %d, %d heard, %d said, %d of the next words are known to the client", session.id,
                 "goes on here" if session.received else "begins", session.epoch, session.received, session.sent,
                 session.skip)
        conversation = Conversation(session.state)
        try:
            async for message in session:
                conversation.hear(message if isinstance(message, str) else message.decode(errors="replace"))
                await self._answer(session, conversation)
                session.checkpoint(conversation.state)
                log.info("%s: message %d is answered", session.id, conversation.count)
        finally:
            log.info("%s: ends here", session.id)

    async def answer(self, exchange: Exchange) -> None:
        """The same over HTTP: one request, and the answer as events, from where the last owner left it."""
        session = exchange.session
        conversation = Conversation(session.state)
        if not exchange.resumed:
            conversation.hear(exchange.body.decode(errors="replace"))
        words = conversation.answer()
        with self._under_way():
            for word in words[exchange.said :]:
                await exchange.send(word)
                session.checkpoint(conversation.state)
                await asyncio.sleep(self._delay)
        log.info("%s: request %d is answered", session.id, exchange.number)

    async def _answer(self, session: Session, conversation: Conversation) -> None:
        if self._signature is not None:
            await session.send(f"[{self._signature}] ")
        with self._under_way():
            for word in conversation.answer():
                if session.skip == 0:
                    await asyncio.sleep(self._delay)
                await session.send(f"{word} ")
            await session.send("\n")

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1

    async def answering(self, _request: web.Request) -> web.Response:
        """For whoever wants to kill it in the middle of an answer: the process id, or nothing if it gives none."""
        return web.Response(text=f"{os.getpid()}\n" if self._answering else "")


def build(options: argparse.Namespace) -> web.Application:
    """The node that the command line asks for, and `/answering`."""
    node = Node(options.edge, pool=options.pool, name=options.name, url=f"http://127.0.0.1:{options.port}",
                zone=options.zone)
    chat = Chat(options.delay, options.name if options.say_name else None)
    node.agent(chat.converse)
    node.answers(chat.answer)
    app = node.app()
    app.router.add_get("/answering", chat.answering)
    return app


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sbc.demo.agent", description="A chat agent to try an edge with.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--edge", required=True, help="the trunk of the edge, ws://HOST:PORT/trunk")
    parser.add_argument("--pool", default="chat")
    parser.add_argument("--zone", default="")
    parser.add_argument("--delay", type=float, default=0.15, help="seconds between words")
    parser.add_argument("--say-name", action="store_true", help="begin each answer with the node's name")
    return parser.parse_args(arguments)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415  # an agent runs without it, too
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def main() -> None:
    """Serve until SIGTERM, and then until the sessions have moved elsewhere."""
    options = parse(sys.argv[1:])
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s node {options.name}: %(message)s")
    web.run_app(build(options), host="127.0.0.1", port=options.port, access_log=None, print=lambda _: None,
                loop=_new_loop(), shutdown_timeout=3)


if __name__ == "__main__":
    main()
