"""A path that loses datagrams: every answer arrives whole, or the client is told that the connection is over; none
stands still. As a client that was told so does, this one asks the rest on another connection."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import aioquic.asyncio
import pytest
import pytest_asyncio
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent

from tests.support.node_web import PIECE
from tests.thirdparty.http_stage import WebScene

pytestmark = pytest.mark.asyncio(loop_scope="module")
LOST = 0.03
"""Of the datagrams of each direction."""
AT_ONCE = 40
ROUNDS = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["qh3", "aioquic"])
async def web(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[WebScene]:
    scene = WebScene(tmp_path_factory.mktemp("losses"))
    scene.web("aiohttp")
    try:
        await scene.open(scene.tree({"edge": {"quic_engine": request.param}}, quic=True))
        yield scene
    finally:
        await scene.close()


class Lossy(aioquic.asyncio.QuicConnectionProtocol):
    """An HTTP/3 client on such a path."""

    chance: random.Random

    def __init__(self, *how: Any, **more: Any) -> None:
        super().__init__(*how, **more)
        self.http = H3Connection(self._quic)
        self.waiting: dict[int, tuple[bytearray, asyncio.Future[bytes]]] = {}

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        send = transport.sendto
        transport.sendto = lambda *datagram: self.chance.random() < LOST or send(*datagram)

    def datagram_received(self, data: Any, addr: Any) -> None:
        if self.chance.random() >= LOST:
            super().datagram_received(data, addr)

    async def ask(self, authority: str, path: str) -> bytes:
        """The body of the answer. Raises ConnectionError: the connection was over before it was whole."""
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, [(b":method", b"GET"), (b":scheme", b"https"),
                                        (b":authority", authority.encode()), (b":path", path.encode())], True)
        answer = self._loop.create_future()
        self.waiting[stream] = bytearray(), answer
        self.transmit()
        return await answer

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            for _, answer in self.waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError(hex(event.error_code)))
        for happened in self.http.handle_event(event):
            assert isinstance(happened, HeadersReceived | DataReceived)
            body, answer = self.waiting[happened.stream_id]
            body += happened.data if isinstance(happened, DataReceived) else b""
            if happened.stream_ended:
                answer.set_result(bytes(body))


@pytest.mark.parametrize("seed", range(2))
async def test_every_answer_is_whole_or_known_not_to_be(web: WebScene, seed: int) -> None:
    authority = f"localhost:{web.secure}"
    config = QuicConfiguration(is_client=True, alpn_protocols=["h3"])
    config.load_verify_locations(str(web.ca))
    client = type("Client", (Lossy,), {"chance": random.Random(seed)})
    owed = [(round_, count) for round_ in range(ROUNDS) for count in range(AT_ONCE)]
    for _ in range(3):
        async with asyncio.timeout(40), aioquic.asyncio.connect("localhost", web.secure, configuration=config,
                                                                create_protocol=client) as connection:
            for round_ in range(ROUNDS):
                asked = [ask for ask in owed if ask[0] == round_]
                answers = await asyncio.gather(
                    *(connection.ask(authority, f"/parts?count={count}") for _, count in asked), return_exceptions=True)
                for ask, answer in zip(asked, answers, strict=True):
                    if not isinstance(answer, ConnectionError):
                        assert answer == PIECE * ask[1]
                        owed.remove(ask)
                if any(isinstance(answer, ConnectionError) for answer in answers):
                    break
        if not owed:
            return
    pytest.fail(f"three connections were closed, and {len(owed)} answers are still owed")
