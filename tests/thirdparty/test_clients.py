"""WebSocket stacks that others wrote, on both sides of the edge: compression, subprotocols, long messages, goodbyes."""

import asyncio
import json

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_sync
from websockets.typing import Subprotocol

from tests.support.scene import Scene
from tests.support.wait import wait_until


@pytest.mark.parametrize("ours", [None, "deflate"])
@pytest.mark.parametrize("theirs", [None, "deflate"])
async def test_compression_survives_a_handover_or_is_not_agreed_on(scene: Scene, ours: str, theirs: str) -> None:
    scene.plain("a", "b", **({"compression": theirs} if theirs else {}))
    await scene.open(replay="all", output="regenerate")
    async with connect(scene.edge.url, compression=ours, proxy=None) as client:
        for number in range(1, 4):
            await client.send(json.dumps({"n": number, "pad": 5000, "ballast": "y" * 5000}))
            answer = json.loads(await client.recv())
            assert answer["m"] == number
        scene.nodes[answer["node"]].kill()
        for number in range(4, 7):
            await client.send(json.dumps({"n": number, "pad": 5000, "ballast": "y" * 5000}))
            answer = json.loads(await client.recv())
            assert (answer["m"], answer["sum"]) == (number, number * (number + 1) // 2)


async def test_the_subprotocol_that_the_node_chose_reaches_the_client(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    wanted = [Subprotocol("other"), Subprotocol("chat")]
    async with connect(scene.edge.url, subprotocols=wanted, proxy=None) as client:
        assert client.subprotocol == "chat"
    async with connect(scene.edge.url, proxy=None) as client:
        assert client.subprotocol is None


async def test_long_and_fragmented_messages_of_both_kinds(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    async with connect(scene.edge.url, max_size=None, proxy=None) as client:
        for message in ("ö" * 400_000, b"\x00\xff" * 400_000, "", b""):
            await client.send(message)
            assert await client.recv() == message
        await client.send(["frag", "", "ments"])
        assert await client.recv() == "fragments"
        pong = await client.ping()
        assert await pong < 5
        await client.close(4321, "enough")
    await wait_until(lambda: scene.nodes["a"].history("closed"), "the node hears the goodbye")
    goodbye = scene.nodes["a"].history("closed")[0]
    assert (goodbye["code"], goodbye["reason"]) == (4321, "enough")


async def test_a_node_that_says_goodbye_is_heard(scene: Scene) -> None:
    scene.plain("a", close_after=1, close_code=4000)
    await scene.open()
    async with connect(scene.edge.url, proxy=None) as client:
        await client.send('{"n": 1, "say": 0}')
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "as told")


async def test_other_clients(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()

    def blocking() -> object:
        with connect_sync(scene.edge.url, proxy=None) as client:
            client.send("hello")
            return client.recv()
    assert await asyncio.to_thread(blocking) == "hello"
    async with aiohttp.ClientSession() as http, http.ws_connect(scene.edge.url, compress=15) as client:
        await client.send_bytes(b"hello")
        assert (await client.receive()).data == b"hello"
