"""A session of numbered requests, and whether each was processed once and each event came once."""

import asyncio
from typing import Any

import aiohttp

from tests.support.asking import Stream, url
from tests.support.scene import Scene


class Chat:
    """One session: numbered requests, and what came of each."""

    def __init__(self, scene: Scene, http: aiohttp.ClientSession, key: str) -> None:
        self.scene, self.http, self.key = scene, http, key
        self.said: list[dict[str, Any]] = []
        self.answers: list[Stream] = []

    def say(self, say: int, every: float = 0.0) -> Stream:
        """Ask for so many events; none: for one JSON object."""
        message = {"n": len(self.said) + 1, "say": say, "every": every}
        self.said.append(message)
        self.answers.append(Stream.opened(self.http, "POST", url(self.scene, "/talk"), json=message,
                                          headers={"X-Chat": self.key}))
        return self.answers[-1]

    async def ended(self) -> None:
        for answer in self.answers:
            await answer.ended()

    def exactly_once(self) -> None:
        """The oracle: see tests/support/node_http_trunk.py. Raises AssertionError."""
        total = 0
        for message, answer in zip(self.said, self.answers, strict=True):
            total += message["n"]
            said = [event.json for event in answer.events] if message["say"] else [answer.json]
            assert (answer.status, answer.end) == (200, "whole"), (message, answer)
            assert [one["i"] for one in said] == list(range(max(1, message["say"]))), (message, said)
            assert {(one["n"], one["sum"]) for one in said} == {(message["n"], total)}, (message, total, said)
            epochs = [one["epoch"] for one in said]
            assert epochs == sorted(epochs), f"a stale owner was heard: {epochs}"


async def through_deaths(scene: Scene, http: aiohttp.ClientSession) -> list[Chat]:
    """Four sessions whose nodes are killed one after the other, in the middle of answers."""
    chats = [Chat(scene, http, f"c{number}") for number in range(4)]
    for victim in scene.nodes.values():
        streams = []
        for chat in chats:
            chat.say(0)
            await chat.answers[-1].ended()
            streams.append(chat.say(20, every=0.01))
        await asyncio.gather(*(stream.has(8) for stream in streams))
        victim.kill()
        for chat in chats:
            chat.say(2)  # waits for its turn behind the stream, or for the next owner
        await asyncio.gather(*(chat.ended() for chat in chats))
        victim.start()
        await scene.edge.sees(*scene.nodes.values())
    return chats
