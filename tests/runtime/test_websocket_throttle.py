"""A client over its rate is slowed down over TLS too, keeps its debt when it comes back, and leaves nothing behind."""

import gc
import time
from pathlib import Path

import pytest

from sbc.config import load
from sbc.runtime.seals import key_for_once
from sbc.runtime.server import Server
from sbc.runtime.tasks import Tasks
from sbc.runtime.websocket.throttle import Throttle
from sbc.stores.factory import open_store
from sbc.transports.sockets import Supply
from tests.support.clients import InvalidStatus, Talker
from tests.support.oracle import exactly_once
from tests.support.raw import TEXT, RawClient, frame
from tests.support.scene import Scene
from tests.support.wait import wait_until
from tests.wire.tls import AUTHORITY, client_context

RATE = {"messages_per_second": 20, "burst": "500ms"}


async def test_over_tls(scene: Scene, tmp_path: Path) -> None:
    issued = AUTHORITY.issue_cert("127.0.0.1")
    cert, key = tmp_path / "edge.crt", tmp_path / "edge.key"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    scene.plain("a")
    await scene.open({
        "policies": {"default": {"limits": RATE}},
        "listeners": [{"name": "secure", "listen": f"127.0.0.1:{scene.edge.port}", "transports": ["websocket"],
                       "tls": {"certificates": [{"cert": str(cert), "key": str(key)}]}}]})
    client = Talker(f"wss://127.0.0.1:{scene.edge.port}/")
    client.trusts = client_context()
    scene.clients.append(client)
    await client.open()
    began = time.monotonic()
    for _ in range(40):
        await client.say(ballast=2000)
    await client.answered()
    await client.say()
    await client.answered()
    assert time.monotonic() - began >= (40 - 10) / 20 - 0.1
    exactly_once(client)
    assert await scene.edge.metric("sbc_throttled_total") >= 1


async def test_who_comes_back_has_no_new_burst_and_is_no_new_session(scene: Scene) -> None:
    scene.plain("a")
    limits = {"messages_per_second": 5, "burst": "2s", "sessions_per_second": {"principal": 1}}
    await scene.open({"policies": {"default": {"limits": limits}}})
    client = await scene.client()
    other = await scene.client()
    with pytest.raises(InvalidStatus):
        for _ in range(20):  # on a slow machine some more are due
            await scene.client()
    began = time.monotonic()
    for _ in range(3):
        for _ in range(6):
            await client.say()
        await client.answered()
        await client.drop()
        await client.reattach()
    await client.say()
    await client.answered()
    # 19 messages with a burst of 10: three connections had one burst together.
    assert time.monotonic() - began >= (18 - 10) / 5 - 0.1
    exactly_once(client)
    await other.say()
    await other.answered()


async def test_a_client_that_leaves_while_it_waits_is_forgotten(scene: Scene) -> None:
    scene.plain("a")
    scene.edge.configure(list(scene.nodes.values()), {"policies": {"default": {"limits": {
        "messages_per_second": 1, "burst": "1s"}}}})
    config = load(str(scene.edge.file))
    async with Tasks() as tasks:
        server = Server(config, tasks, open_store(config.edge, tasks.spawn), Supply({}), key_for_once())
        await server.open()
        await server.open_doors()
        try:
            await scene.nodes["a"].serving()
            await wait_until(lambda: server.gauges().nodes.get("up") == 1, "the node is up")
            client = await RawClient.opened(scene.edge.port)
            await client.send(frame(TEXT, b"x") * 40)  # forty seconds' worth
            await wait_until(lambda: server.metrics.throttled["messages_per_second"] == 1, "it is not read")
            assert any(type(each) is Throttle for each in gc.get_objects())
            for session in list(server.hall.sessions.values()):
                session.expel(1008, "over")  # type: ignore[attr-defined]
            client.abort()
            del session

            def forgotten() -> bool:
                gc.collect()
                return not any(type(each) is Throttle for each in gc.get_objects())
            await wait_until(forgotten, "its throttle is gone, long before its time was over")
        finally:
            await server._stop()
