"""What stands between a relay and a link waits for the store, and slows whoever says it: over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from functools import partial
from typing import cast

import pytest

from sbc.runtime.clerk import Notary
from sbc.runtime.websocket.sluice import Sluice
from sbc.wire.link import HIGH_WATER_BYTES, Link, Pause
from tests.support.wait import wait_until


class Owner:
    """Of links whose end nobody waits for."""

    def attend(self, link: Link) -> None:
        pass

    def link_lost(self, link: Link) -> None:
        pass


class Word:
    """A notary whose store answers when the test says so."""

    def __init__(self) -> None:
        self.waits = False
        self.count = 0

    def pass_on(self, through: int) -> None:
        raise NotImplementedError


class Scene:
    """A client's link, a node's link, and what came out at the node."""

    def __init__(self, client: Link, node: Link, far: asyncio.StreamReader) -> None:
        self.client, self.node, self.far, self.word = client, node, far, Word()
        self.sluice = Sluice(cast(Notary, self.word))
        self.sluice.join(client, node)

    def say(self, data: bytes) -> None:
        """The relay lets this pass."""
        self.word.count += 1
        self.client.forward(data)


async def link(owner: Owner, sock: socket.socket) -> Link:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=sock)
    made = Link(cast(asyncio.Transport, transport), owner, 0, None)
    transport.set_protocol(made)
    return made


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    (ours, clients), (out, nodes) = socket.socketpair(), socket.socketpair()
    owner = Owner()
    client, node = await link(owner, ours), await link(owner, out)
    far, writer = await asyncio.open_connection(sock=nodes)
    yield Scene(client, node, far)
    client.abort()
    node.abort()
    writer.close()
    clients.close()


async def test_what_waits_goes_out_in_one_write_as_far_as_the_store_has_it(scene: Scene) -> None:
    scene.say(b"at once ")
    assert await scene.far.read(100) == b"at once "
    scene.word.waits = True
    for data in (b"one ", b"two ", b"three"):
        scene.say(data)
    pongs: list[str] = []
    scene.sluice.afterwards(lambda: pongs.append("pong"))
    scene.word.pass_on(3)
    assert await scene.far.read(100) == b"one two " and not pongs
    scene.word.waits = False
    scene.word.pass_on(4)
    assert await scene.far.read(100) == b"three" and pongs == ["pong"]


async def test_too_much_that_waits_stops_the_sender_until_it_is_gone(scene: Scene) -> None:
    scene.word.waits = True
    scene.say(b"x" * (HIGH_WATER_BYTES + 1))
    assert scene.client.pauses & Pause.UNSTORED
    scene.word.waits = False
    scene.word.pass_on(1)
    assert not scene.client.pauses & Pause.UNSTORED
    got = bytearray()
    while len(got) <= HIGH_WATER_BYTES:
        got += await scene.far.read(1 << 16)
    await wait_until(lambda: scene.client.pauses == 0, "it is read again")


async def test_another_node_gets_what_the_one_before_was_not_sent_and_nothing_twice(scene: Scene) -> None:
    scene.word.waits = True
    for data in (b"1 ", b"2 ", b"3 "):
        scene.say(data)
    scene.sluice.join(scene.client, None)
    scene.word.pass_on(3)
    scene.sluice.join(scene.client, scene.node)
    scene.word.waits = False
    scene.sluice.begin_with([b"3' ", b"4 "], first=3)
    assert await scene.far.read(100) == b"1 2 3' 4 "


async def test_who_asks_whether_messages_are_here_is_told_though_another_node_is_given_them(scene: Scene) -> None:
    scene.word.waits = True
    pongs: list[str] = []
    for number in range(1, 4):
        scene.say(b"%d " % number)
        scene.sluice.afterwards(partial(pongs.append, f"pong {number}"))
    scene.sluice.begin_with([b"2' ", b"3' "], first=2)
    scene.word.pass_on(2)
    assert await scene.far.read(100) == b"1 " and pongs == ["pong 1"]
    scene.word.waits = False
    scene.word.pass_on(3)
    assert await scene.far.read(100) == b"2' 3' " and pongs == ["pong 1", "pong 2", "pong 3"]


async def test_who_asks_while_there_is_no_node_is_told_once_the_store_has_it_and_the_next_node_is_given_it(
    scene: Scene,
) -> None:
    scene.word.waits = True
    pongs: list[str] = []
    scene.say(b"1 ")
    scene.sluice.afterwards(partial(pongs.append, "pong 1"))
    scene.sluice.join(scene.client, None)
    scene.sluice.afterwards(partial(pongs.append, "pong 2"))
    assert not pongs
    scene.word.waits = False
    scene.word.pass_on(1)
    assert pongs == ["pong 1", "pong 2"]
    scene.sluice.afterwards(partial(pongs.append, "pong 3"))
    assert pongs == ["pong 1", "pong 2", "pong 3"]
    scene.sluice.join(scene.client, scene.node)
    scene.sluice.begin_with([], first=2)
    assert await scene.far.read(100) == b"1 " and len(pongs) == 3
