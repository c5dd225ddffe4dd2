"""P2 in the middle of a message: half of one is neither heard by the client nor lost to the next owner.

Also a standby and its leg: it has no say before it is promoted (P3).
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.raw import CONTINUATION, TEXT, RawClient, frame
from tests.support.scene import Scene
from tests.support.stubs import StubNode, accepted
from tests.support.wait import wait_until

WELL = b"\x81\x04well"


class Legs:
    """What a node did on its legs: a byte string for each, in the order that they were opened."""

    def __init__(self) -> None:
        self.heard: list[bytearray] = []
        self.first_says = b""
        self.hang_up = asyncio.Event()
        """Ends the first leg, once something was heard on it."""
        self.roles: list[str] = []

    async def behave(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer all that is heard with one message; but on the first leg say `first_says`, and hang up when told."""
        first = not self.heard
        heard = bytearray()
        self.heard.append(heard)
        writer.write(accepted(head))
        while got := await reader.read(65536):
            heard += got
            writer.write(self.first_says if first else WELL)
            if first:
                await self.hang_up.wait()
                return


@pytest.fixture
async def legs() -> AsyncIterator[Legs]:
    yield Legs()


async def opened(scene: Scene, legs: Legs) -> StubNode:
    """The edge with one node that does this."""
    node = StubNode(legs.behave)
    await node.start()
    listed = [{"name": "stub", "url": f"http://127.0.0.1:{node.port}"}]
    await scene.open({"pools": {"tutors": {"nodes": listed}}})
    return node


async def test_half_a_message_of_a_node_that_dies_is_never_heard(scene: Scene, legs: Legs) -> None:
    legs.first_says = b"\x81\x7e\x03\xe8" + b"x" * 500  # of a message of 1000 bytes
    legs.hang_up.set()
    node = await opened(scene, legs)
    try:
        client = await RawClient.opened(scene.edge.port)
        await client.send(frame(TEXT, b"go on"))
        await wait_until(lambda: len(legs.heard) == 2, "the session is given a new leg")
        await scene.all_sessions("confirmed")
        await client.send(frame(TEXT, b"again"))
        answer = await client.frame()
        assert answer is not None and answer.payload == b"well"
    finally:
        await node.stop()


@pytest.mark.parametrize("cut", [8, 13], ids=["within a frame", "between frames"])
async def test_a_message_that_is_half_here_when_the_node_dies_is_sent_whole_to_the_next(
        scene: Scene, legs: Legs, cut: int) -> None:
    node = await opened(scene, legs)
    try:
        client = await RawClient.opened(scene.edge.port)
        whole = frame(TEXT, b"one, two", fin=False)[:14] + frame(CONTINUATION, b"three")
        await client.send(frame(TEXT, b"go on"), whole[:cut])
        await wait_until(lambda: legs.heard and legs.heard[0], "the node has heard what was whole")
        assert bytes(legs.heard[0]) == frame(TEXT, b"go on")
        legs.hang_up.set()
        await wait_until(lambda: len(legs.heard) == 2, "the session is given a new leg")
        await scene.all_sessions("confirmed")
        await client.send(whole[cut:])
        answer = await client.frame()
        assert answer is not None and answer.payload == b"well"
        assert bytes(legs.heard[1]) == whole
    finally:
        await node.stop()


async def test_a_standby_has_no_say_before_it_is_promoted(scene: Scene) -> None:
    roles: dict[str, asyncio.StreamWriter] = {}

    async def behave(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        role = next(line.partition(":")[2].strip() for line in head.split("\r\n") if line.startswith("Session-Role"))
        roles[role] = writer
        writer.write(accepted(head) + (b"\x81\x05early" if role == "standby" else b""))
        while await reader.read(65536):
            writer.write(WELL)
    nodes = [StubNode(behave), StubNode(behave)]
    try:
        for node in nodes:
            await node.start()
        listed = [{"name": f"s{node.port}", "url": f"http://127.0.0.1:{node.port}"} for node in nodes]
        await scene.open({"pools": {"tutors": {"nodes": listed}}}, standby="warm")
        client = await RawClient.opened(scene.edge.port)
        await wait_until(lambda: "standby" in roles, "the other node stands by")
        session = await scene.only_session()

        async def stands_by() -> bool:
            return bool((await scene.edge.session(session))["standby"]) and \
                await scene.edge.metric("sbc_stale_messages_total") == 1
        await wait_until(stands_by, "what it says is counted as stale")
        roles["standby"].write(b"\x81\x05still")
        for _ in range(2):
            await client.send(frame(TEXT, b"go on"))
            answer = await client.frame()
            assert answer is not None and answer.payload == b"well"
            roles["owner"].transport.abort()

            async def moved() -> bool:
                return await scene.edge.metric("sbc_handovers_total", outcome="moved") == 1
            await wait_until(moved, "the standby is promoted")
    finally:
        for node in nodes:
            await node.stop()
