"""Hostile nodes: what a node sends is no more trusted than what a client sends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support.clients import InvalidStatus
from tests.support.raw import TEXT, RawClient, frame, upgrade
from tests.support.scene import Scene
from tests.support.stubs import StubNode, accepted
from tests.support.wait import wait_until

Leg = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(*parts: bytes, accept: bool = True) -> Leg:
    """A node that answers every leg with these bytes, and then stays silent."""
    async def behave(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((accepted(head) if accept else b"") + b"".join(parts))
        while await reader.read(65536):
            pass
    return behave


@pytest.fixture
async def stub() -> AsyncIterator[StubNode]:
    """A node to give a behaviour to."""
    node = StubNode(says())
    await node.start()
    yield node
    await node.stop()


async def opened(scene: Scene, stub: StubNode, **migration: object) -> None:
    """The edge with this stub as its only configured node."""
    listed = [{"name": "stub", "url": f"http://127.0.0.1:{stub.port}", "zone": "z1"}]
    await scene.open({"pools": {"tutors": {"nodes": listed}},
                      "agents": {"tutor": {"migration": {"hold": "1s", **migration}}}})


REFUSALS = {
    "an error": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "not here": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "no upgrade": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "wrong accept key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
    "no accept key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "noise": bytes(range(256)) * 8,
    "endless head": b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 50_000,
    "bare LF": b"HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\n",
    "another version": b"HTTP/3.7 101 Switching Protocols\r\n\r\n",
    "response splitting": b"HTTP/1.1 101 Switching\r\nSet-Cookie: a\x00b\r\n\r\n",
}


@pytest.mark.parametrize("what", REFUSALS)
async def test_a_node_that_does_not_open_its_leg_costs_a_503_at_most(scene: Scene, stub: StubNode, what: str) -> None:
    stub.behave = says(REFUSALS[what], accept=False)
    await opened(scene, stub)
    with pytest.raises(InvalidStatus) as refused:
        await scene.client()
    assert refused.value.response.status_code in (502, 503)
    assert "Traceback" not in scene.edge.log()


async def test_a_node_that_hangs_at_its_leg_is_left_for_another(scene: Scene, stub: StubNode) -> None:
    stub.behave = says(accept=False)
    node, = scene.plain("a")
    await scene.open({"pools": {"tutors": {"nodes": [
        {"name": "stub", "url": f"http://127.0.0.1:{stub.port}"}, {"name": "a", "url": f"http://127.0.0.1:{node.port}"}]}}})
    clients = await asyncio.gather(*(scene.client() for _ in range(3)))
    for client in clients:
        await client.say()
        await client.answered()
    assert stub.legs, "the hanging node was asked as well"


FRAMES = {
    "masked": frame(TEXT, b'{"m": 1}'),
    "reserved opcode": b"\x83\x00",
    "RSV1": b"\xc1\x01x",
    "no UTF-8": b"\x81\x02\xff\xff",
    "continuation of nothing": b"\x80\x01x",
    "fragmented ping": b"\x09\x00",
    "a length of 2^63": b"\x81\x7f\x80" + bytes(7),
    "an endless message": b"\x01\x7f" + (2**40).to_bytes(8, "big") + b"x" * 100_000,
    "close code 1005": b"\x88\x02" + (1005).to_bytes(2, "big"),
    "reset": b"",
}


@pytest.mark.parametrize("what", FRAMES)
async def test_bad_frames_of_a_node_end_its_leg_and_not_the_session(scene: Scene, stub: StubNode, what: str) -> None:
    async def behave(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(head))
        await reader.read(1)
        if stub.legs > 1:
            writer.write(b"\x81\x04well")
        elif what == "reset":
            writer.transport.abort()
        else:
            writer.write(FRAMES[what])
        await reader.read()
    stub.behave = behave
    await opened(scene, stub)
    client = await RawClient.opened(scene.edge.port)
    await client.send(frame(TEXT, b"go on"))
    await wait_until(lambda: stub.legs == 2, "the session is given a new leg")
    await scene.all_sessions("confirmed")
    await client.send(frame(TEXT, b"again"))
    answer = await client.frame()
    assert answer is not None and answer.payload == b"well", "nothing of the bad leg reached the client"
    assert "Traceback" not in scene.edge.log()
    assert (await scene.edge.get("/healthz"))[0] == 200


async def test_a_node_that_only_ever_breaks_is_given_up_in_the_end(scene: Scene, stub: StubNode) -> None:
    async def behave(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(head) + FRAMES["reserved opcode"])
        await reader.read()
    stub.behave = behave
    await opened(scene, stub)
    client = await RawClient.opened(scene.edge.port)
    assert await client.close_code() == 1014
    assert stub.legs < 50, "it is tried again, but not in a busy loop"


async def test_headers_of_a_node_that_are_not_for_clients_do_not_reach_them(scene: Scene, stub: StubNode) -> None:
    async def behave(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(head, "Server: secret/1.0", "X-Powered-By: secret", "Session-Id: forged",
                              "Session-Epoch: 9", "Session-Gap: 5", "X-Kept: yes"))
        await reader.read()
    stub.behave = behave
    await opened(scene, stub)
    client = await RawClient.connect(scene.edge.port)
    await client.send(upgrade())
    answer = await client.head()
    assert answer is not None and answer.status == 101
    assert "secret" not in str(answer.headers) and answer.headers["session-id"] != "forged"
    assert not {"session-epoch", "session-gap", "server", "x-powered-by"} & set(answer.headers)
    client.abort()


async def test_a_subprotocol_that_was_not_offered_is_not_accepted(scene: Scene, stub: StubNode) -> None:
    async def behave(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(head, "Sec-WebSocket-Protocol: invented"))
        await reader.read()
    stub.behave = behave
    await opened(scene, stub)
    client = await RawClient.connect(scene.edge.port)
    await client.send(upgrade("/", "Sec-WebSocket-Protocol: chat"))
    answer = await client.head()
    assert answer is not None and answer.status in (502, 503)
