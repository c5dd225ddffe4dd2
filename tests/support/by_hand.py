"""A node with a trunk under a test's hand: it says and does what the test says, when the test says so."""

import asyncio
import contextlib
from typing import Any

from tests.support.raw import unmasked_payload
from tests.support.stubs import RawTrunk, StubNode, accepted
from tests.support.wait import wait_until


class HandLeg:
    """One leg, from its opening on."""

    def __init__(self, head: str, writer: asyncio.StreamWriter) -> None:
        lines = (line.partition(":") for line in head.split("\r\n")[1:])
        self.headers = {name.lower(): value.strip() for name, _, value in lines}
        self.heard: list[str] = []
        """The texts of whole messages, in the order that they came."""
        self._writer = writer

    def say(self, text: str) -> None:
        """One short message to the client."""
        self._writer.write(bytes([0x81, len(text)]) + text.encode())

    def hang_up(self) -> None:
        """Break it."""
        self._writer.close()

    async def has(self, *texts: str) -> None:
        """Wait until these messages came, and no others."""
        await wait_until(lambda: len(self.heard) >= len(texts), f"{texts} on the leg")
        assert self.heard == list(texts)


class HandNode:
    """A node named `name` that reports checkpoints. Its heart beats by itself; all else is up to the test."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.trunk = RawTrunk()
        self.legs: list[HandLeg] = []
        self._stub = StubNode(self._behave)
        self._taken = 0
        self._heart: asyncio.Task[None] | None = None

    async def join(self, trunk_url: str) -> None:
        """Listen and register."""
        await self._stub.start()
        await self.trunk.dial(trunk_url)
        await self.trunk.register(self.name, f"http://127.0.0.1:{self._stub.port}")
        self._heart = asyncio.create_task(self._beat())

    async def join_again(self, trunk_url: str, *, checkpoints: bool = True) -> None:
        """Register over a second trunk; the edge has to close the first one."""
        former, self.trunk = self.trunk, RawTrunk()
        self.trunk.heard = former.heard
        await self.trunk.dial(trunk_url)
        await self.trunk.register(self.name, f"http://127.0.0.1:{self._stub.port}", checkpoints=checkpoints)
        try:
            await wait_until(lambda: former.closed, "the former trunk is closed")
        finally:
            await former.close()

    async def _beat(self) -> None:
        while True:
            await self.trunk.send(type="heartbeat", sessions=0, load=0)
            await asyncio.sleep(0.2)

    async def _behave(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(head))
        leg = HandLeg(head, writer)
        self.legs.append(leg)
        while (payload := await unmasked_payload(reader)) is not None:
            leg.heard.append(payload.decode())

    def said(self, kind: str) -> list[dict[str, Any]]:
        """What the edge said over the trunk, of this type."""
        return [message for message in self.trunk.heard if message["type"] == kind]

    async def take(self) -> tuple[dict[str, Any], HandLeg]:
        """Accept the next invitation: it, and the leg that follows."""
        number = self._taken
        self._taken += 1
        await wait_until(lambda: len(self.said("invite")) > number, "an invitation")
        invite = self.said("invite")[number]
        await self.trunk.send(type="accept", session=invite["session"], epoch=invite["epoch"])
        await wait_until(lambda: len(self.legs) > number, "the leg")
        return invite, self.legs[number]

    async def checkpoint(self, invite: dict[str, Any], received: int, sent: int, state: str | None = None) -> None:
        """Report one, and wait until the edge has heard it."""
        await self.trunk.send(type="checkpoint", session=invite["session"], epoch=invite["epoch"], received=received,
                              sent=sent, state=state)
        await self.journal(invite, 2**40)

    async def journal(self, invite: dict[str, Any], after: int) -> list[dict[str, Any]]:
        """Ask for the node messages that the client has; all that was said before is heard then."""
        before = len(self.said("journal"))
        await self.trunk.send(type="journal", session=invite["session"], epoch=invite["epoch"], after=after)
        await wait_until(lambda: len(self.said("journal")) > before, "the journal")
        return list(self.said("journal")[before]["messages"])

    async def leave(self) -> None:
        """Stop everything."""
        if self._heart is not None:
            self._heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heart
        await self.trunk.close()
        await self._stub.stop()
