"""What is over is freed at once: requests and sessions cut their own cycles, so that no collection has to find them."""

import asyncio
import contextlib
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sbc.config import load
from sbc.model.events import EndOrdered
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.handover import Handover
from sbc.runtime.http.session import HttpSession
from sbc.runtime.http.single import Single
from sbc.runtime.seals import key_for_once
from sbc.runtime.server import Server
from sbc.runtime.tasks import Tasks
from sbc.runtime.websocket.session import WebSocketSession
from sbc.stores.factory import open_store
from sbc.transports.sockets import Supply
from tests.support.asking import asking, url, web
from tests.support.scene import Scene
from tests.support.wait import wait_until

KINDS = (Exchange, Single, HttpSession, Handover, WebSocketSession)


def alive() -> Counter[str]:
    return Counter(type(each).__name__ for each in gc.get_objects() if type(each) in KINDS)


@pytest.fixture
async def edge(scene: Scene, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """An edge in this process, that nobody cleans up after, before nodes of the module that the test names."""
    scene.plain("a", "b", module=request.param)
    scene.edge.configure(list(scene.nodes.values()), web(scene, limits={"sessions_per_principal": 1000}))
    config = load(str(scene.edge.file))
    thresholds = gc.get_threshold()
    async with Tasks() as tasks:
        server = Server(config, tasks, open_store(config.edge, tasks.spawn), Supply({}), key_for_once())
        await server.open()
        await server.open_doors()
        gc.collect()
        gc.disable()
        try:
            await asyncio.gather(*(node.serving() for node in scene.nodes.values()))
            await wait_until(lambda: server.gauges().nodes.get("up") == 2, "both nodes are up")
            yield server
        finally:
            gc.enable()
            gc.unfreeze()
            gc.set_threshold(*thresholds)
            await server._stop()


async def ask(http: aiohttp.ClientSession, address: str, method: str = "GET", **how: object) -> None:
    with contextlib.suppress(aiohttp.ClientError):
        async with http.request(method, address, **how) as answer:  # type: ignore[arg-type]
            await answer.read()


@pytest.mark.parametrize("edge", ["node_http"], indirect=True)
async def test_requests_and_sessions(edge: Server, scene: Scene) -> None:
    async with asking() as http:
        for number in range(3):
            key = {"X-Chat": f"k{number}"}
            await ask(http, url(scene, "/ask"))  # alone
            await ask(http, url(scene, "/ask"), "POST", data=b"x" * 100_000)
            await ask(http, url(scene, "/mint?by=header"), "POST", data=b"{}")
            await ask(http, url(scene, "/ask"), headers=key)
            await ask(http, url(scene, "/ask"), "POST", headers=key, data=json.dumps({}))
            await ask(http, url(scene, "/events?count=5"), headers={**key, "Accept": "text/event-stream"})
            await ask(http, url(scene, "/events?count=5"), headers={"Accept": "text/event-stream"})
            await ask(http, url(scene, "/ask"), "POST", headers={"X-Chat": "x" * 600}, data=b"{}")  # refused
            with contextlib.suppress(TimeoutError):  # left by its client
                async with asyncio.timeout(0.2):
                    await ask(http, url(scene, "/ask?after=5"), headers=key)
        left = len(edge.hall.sessions)
        await wait_until(lambda: alive() == {"HttpSession": left}, f"{left} sessions and nothing else")
        scene.nodes["a"].kill()
        for number in range(3):
            await ask(http, url(scene, "/ask"), headers={"X-Chat": f"k{number}"})
        await wait_until(lambda: alive()["Handover"] == 0, "handovers are done")
    end_all(edge)
    await wait_until(lambda: not alive(), "nothing is left")


@pytest.mark.parametrize("edge", ["node_plain"], indirect=True)
async def test_connections(edge: Server, scene: Scene) -> None:
    talkers = [await scene.client() for _ in range(3)]
    for talker in talkers:
        await talker.say()
        await talker.answered()
    assert alive() == {"WebSocketSession": 3}
    await talkers[0].close()
    await wait_until(lambda: alive() == {"WebSocketSession": 2}, "one is over")
    end_all(edge)
    await wait_until(lambda: not alive(), "nothing is left")


def end_all(edge: Server) -> None:
    for session in list(edge.hall.sessions.values()):
        session.tell(EndOrdered(1001, ""))
    assert not edge.hall.sessions
