"""A link that is read by turns: whoever sends much waits for others, and nothing of it is lost or out of order."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from itertools import accumulate

import pytest

from sbc.core.journal import Journal
from sbc.core.relay import PORTION, Gate, Relay, Tally
from sbc.wire.link import CLOSING, Link, Pause
from sbc.wire.sips import SIP_BYTES
from tests.core.wire import frame
from tests.support.wait import wait_until

TINY = frame(2, b"x" * 8, masked=True)
MANY = 20 * PORTION
FIRST_READ = 256 * 1024
"""What the loop reads at once if nobody asks for less."""


class Chatty:
    """A client that sends, the link that reads it, and what is passed on of it; an owner that notes the end."""

    def __init__(self) -> None:
        self.passed: list[bytes] = []
        self.turns: list[int] = []
        """How many messages were passed in each turn of the loop in which others were run."""
        self.lost = False
        self.link: Link
        self.line: socket.socket
        self._others: asyncio.Handle | None = None
        self.on_pass: Callable[[], None] = lambda: None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.line, ours = socket.socketpair()
        for end in (self.line, ours):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
        ours.setblocking(False)
        waiting = _Waiting()
        transport, _ = await loop.create_connection(lambda: waiting, sock=ours)
        transport.pause_reading()
        self.link = Link(transport, self, 0, None)
        relay = Relay(Journal(1 << 24), Tally(), masked=True, limit=70_000)
        relay.set_gate(Gate.OPEN)
        self.link.join(relay, None)
        self.link.forward = self._pass
        transport.set_protocol(self.link)

    def say(self, data: bytes) -> None:
        """All of it is in the socket before the link reads any."""
        self.line.sendall(data)

    def begin(self) -> None:
        self.link.transport.resume_reading()
        self._turn(0)

    def _turn(self, before: int) -> None:
        """Somebody else, who is served once in each turn of the loop."""
        count = self.count
        self.turns.append(count - before)
        if not self.lost:
            self._others = asyncio.get_running_loop().call_soon(self._turn, count)

    @property
    def count(self) -> int:
        return sum(map(len, self.passed)) // len(TINY)

    def _pass(self, data: bytes) -> None:
        self.passed.append(data)
        self.on_pass()

    def attend(self, link: Link) -> None:
        pass

    def link_lost(self, link: Link) -> None:
        self.lost = True

    def close(self) -> None:
        if self._others is not None:
            self._others.cancel()
        self.line.close()
        self.link.abort()


class _Waiting(asyncio.Protocol):
    """Until the link is there."""


@pytest.fixture
async def chatty() -> AsyncIterator[Chatty]:
    one = Chatty()
    await one.open()
    yield one
    one.close()


async def test_others_are_served_between_portions(chatty: Chatty) -> None:
    chatty.say(TINY * MANY)
    chatty.begin()
    await wait_until(lambda: chatty.count == MANY, "all of it is passed on")
    assert max(chatty.turns) <= PORTION
    assert b"".join(chatty.passed) == TINY * MANY


async def test_of_large_messages_few_are_passed_in_a_turn(chatty: Chatty) -> None:
    large = frame(2, b"x" * 60_000, masked=True)
    chatty.say(large * 50)
    chatty.begin()
    await wait_until(lambda: sum(map(len, chatty.passed)) == 50 * len(large), "all of it is passed on")
    # The end of one read and the beginning of the next: 64 KiB of each, and the messages with which these are full.
    assert max(chatty.turns) <= 5 * len(large) // len(TINY) + 1


async def test_who_has_brought_much_is_read_in_sips(chatty: Chatty) -> None:
    message = frame(2, b"x" * 4096, masked=True)
    chatty.say(message * 300)
    chatty.begin()
    await wait_until(lambda: sum(map(len, chatty.passed)) == 300 * len(message), "all of it is passed on")
    assert b"".join(chatty.passed) == message * 300
    later = [turn for turn, count in zip(chatty.turns, accumulate(chatty.turns), strict=True)
             if count * len(TINY) > FIRST_READ + SIP_BYTES + len(message)]  # fmt: skip
    assert later and max(later) <= (SIP_BYTES + len(message)) // len(TINY) + 1


async def test_a_link_that_is_frozen_passes_nothing_of_what_waits(chatty: Chatty) -> None:
    chatty.say(TINY * MANY)
    chatty.on_pass = lambda: chatty.link.pause(Pause.FROZEN)
    chatty.begin()
    await wait_until(lambda: chatty.count > 0, "it has begun")
    stood = chatty.count
    assert stood == PORTION
    for _ in range(5):
        await asyncio.sleep(0)
    assert chatty.count == stood
    chatty.on_pass = lambda: None
    chatty.link.resume(Pause.FROZEN)
    await wait_until(lambda: chatty.count == MANY, "it goes on where it stood")
    assert max(chatty.turns) <= PORTION


async def test_what_was_read_is_passed_on_before_the_end_is_told(chatty: Chatty) -> None:
    chatty.say(TINY * MANY)
    chatty.line.close()
    chatty.begin()
    await wait_until(lambda: chatty.lost, "the end is told")
    assert chatty.count == MANY


async def test_who_waits_to_part_finds_the_goodbye_behind_it_all(chatty: Chatty) -> None:
    chatty.say(TINY * MANY + frame(8, b"", masked=True))
    loop = asyncio.get_running_loop()

    def leave() -> None:
        loop.call_soon(chatty.link.close, 1000, "")

    chatty.on_pass = leave
    chatty.begin()
    await wait_until(lambda: chatty.count > 0, "it has begun")
    began = loop.time()
    await wait_until(chatty.link.transport.is_closing, "both have said goodbye")
    assert chatty.count < MANY
    assert loop.time() - began < CLOSING / 2
