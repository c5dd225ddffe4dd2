"""P1 and P2 over WebTransport: a session outlives its node, its dialog the connection, and every message comes once."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from sbc.wire.http3.capsules import Capsules
from tests.support.clients import Talker
from tests.support.h3_client import H3Client
from tests.support.oracle import exactly_once
from tests.support.quic import secure, trusted
from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until


class Transporter(Talker):
    """The numbered traffic, each message on a stream of its own."""

    def __init__(self, scene: Scene, library: str) -> None:
        super().__init__("")
        self._scene = scene
        self._library = library
        self._at = 0
        self.client: H3Client
        self.session = 0

    async def open(self, *, token: str | None = None, received: int | None = None, address: str | None = None) -> None:
        """Browsers cannot set fields: what a client that comes back says stands in the query."""
        count = len(self.heard) if received is None else received
        query = f"?session={quote(token)}&received={count}" if token is not None else ""
        self.client = await H3Client.connect(
            self._scene.edge.port, self._library, trust=trusted(), webtransport=True)
        self._at = 0
        self.session = self.client.tunnel(f"/{query}".encode(), b"webtransport")
        answer = self.client.answers[self.session]
        await self.client.until(lambda: answer.fields, "the answer")
        assert answer.status == 200, answer.body
        self.token = answer.fields[b"session-id"].decode()

    def take(self) -> None:
        """Hear what has come."""
        streams = [stream for stream in sorted(self.client.streams) if stream in self.client.ended]
        for stream in streams[self._at :]:
            self.heard.append(json.loads(bytes(self.client.streams[stream])))
        self._at = len(streams)

    async def say(self, say: int = 1, every: float = 0.0, pad: int = 0, ballast: int = 0) -> int:
        message = {"n": len(self.said) + 1, "say": say, "every": every, "pad": pad}
        self.said.append(message)
        self.client.open_stream(self.session, json.dumps(message).encode())
        return int(message["n"])

    async def has(self, count: int, patience: float = PATIENCE) -> None:
        def enough() -> Any:
            self.take()
            return len(self.heard) >= count
        await self.client.until(enough, f"{count} node messages", patience)


@pytest.mark.parametrize(("engine", "library"), [("qh3", "aioquic"), ("aioquic", "qh3")])
async def test_owners_are_killed_and_connections_lost(scene: Scene, engine: str, library: str) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(secure(scene, engine=engine))
    talker = Transporter(scene, library)
    await talker.open()
    await talker.say(40, every=0.01)
    await talker.has(len(talker.heard) + 8)
    owner = scene.nodes[talker.node]
    owner.kill()
    await talker.say(3)
    await talker.answered()
    owner.start()
    await scene.edge.sees(owner)
    await talker.say(40, every=0.01)
    await talker.has(len(talker.heard) + 5)
    talker.client.drop()  # without a word
    talker.take()
    await talker.open(token=talker.token)
    await talker.say(2)
    await talker.answered()
    exactly_once(talker)
    talker.client.close()


async def test_a_session_that_is_taken_over_is_told_so(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(secure(scene))
    first = Transporter(scene, "aioquic")
    await first.open()
    await first.say(2)
    await first.answered()
    second = Transporter(scene, "qh3")
    second.said, second.heard = list(first.said), list(first.heard)
    await second.open(token=first.token)
    answer = first.client.answers[first.session]
    await first.client.until(lambda: answer.complete, "the first is told")
    assert Capsules().feed(answer.body) == (4409, "resumed elsewhere")
    await second.say(3)
    await second.answered()
    exactly_once(second)
    for talker in (first, second):
        talker.client.close()


async def test_the_nodes_goodbye_comes_as_a_capsule(scene: Scene) -> None:
    scene.plain("a", close_after=2, close_code=4321)
    await scene.open(secure(scene))
    talker = Transporter(scene, "qh3")
    await talker.open()
    await talker.say(1)
    await talker.answered()
    await talker.say(1)
    answer = talker.client.answers[talker.session]
    await wait_until(lambda: answer.complete, "the end")
    assert Capsules().feed(answer.body) == (4321, "as told")
    talker.client.close()
