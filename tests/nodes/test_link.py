"""A WebSocket leg over HTTP/1.1: what is made of a node's answer, however it comes."""

import asyncio
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from sbc.nodes.link import LONGEST_HEAD, Approach, Dial, Failed, Opened
from sbc.wire.upgrade import accept_key
from tests.nodes.exchanges import raw_node, read_head
from tests.support.wait import wait_until

UPGRADED = (b"HTTP/1.1 101 On\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n%b\r\n")  # fmt: skip
EARLY = b"\x81\x02hi"


class Owner:
    """A LinkOwner of a leg that nobody uses."""

    def attend(self, link: Any) -> None: ...

    def link_lost(self, link: Any) -> None: ...


async def _answer(pieces: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer an upgrade in these pieces: KEY stands for the accept key."""
    head = await read_head(reader)
    key = next(line for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")).split()[1]
    for piece in pieces:
        writer.write(piece.replace(b"KEY", accept_key(key).encode()))
        await writer.drain()
        await asyncio.sleep(0.01)  # so that it is a piece of its own, most of the time
    await reader.read()


async def outcome(*pieces: bytes, protocols: tuple[str, ...] = ()) -> Opened | Failed:
    told: list[Opened | Failed] = []
    async with raw_node(partial(_answer, list(pieces))) as raw:
        dial = Dial(raw.node.url, "/", [], b"host: a\r\n", protocols, None)
        approach = Approach(dial, Owner(), 1, told.append, None)
        await approach.run()
        got = await wait_until(lambda: told and told[0], "the outcome")
        assert isinstance(got, Opened | Failed)
        if isinstance(got, Opened):
            got.link.abort()
    assert len(told) == 1
    return got


@pytest.mark.parametrize("cuts", [[], [1], [60, 100], [-6], [-3]])
async def test_an_answer_in_any_pieces(cuts: list[int]) -> None:
    whole = b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + UPGRADED % (b"KEY", b"Sec-WebSocket-Protocol: v2\r\n") + EARLY
    at = [0, *(cut % len(whole) for cut in cuts), len(whole)]
    got = await outcome(*(whole[a:b] for a, b in pairwise(at)), protocols=("v1", "v2"))
    assert isinstance(got, Opened) and (got.protocol, got.deflate) == ("v2", False)
    assert EARLY.startswith(got.rest), "what came along with the 101 is there, as far as it did"


@pytest.mark.parametrize(("answer", "status", "reason"), [
    (b"HTTP/1.1 403 No\r\n\r\n", 403, "the node refused the session"),
    (UPGRADED % (b"bm90IHRoZSBrZXk=", b""), 0, "not a proper WebSocket answer"),
    (b"HTTP/1.1 101 On\r\nSec-WebSocket-Accept: KEY\r\n\r\n", 0, "not a proper WebSocket answer"),
    (UPGRADED % (b"KEY", b"Sec-WebSocket-Protocol: v9\r\n"), 0, "a subprotocol that was not offered"),
    (b"SSH-2.0-x\r\n", 0, "garbage instead of an HTTP answer"),
    (b"HTTP/1.1 101 On\nUpgrade: websocket\n\n", 0, "garbage instead of an HTTP answer"),
    (b"HTTP/1.1 101 On\r\n folded: 1\r\n\r\n", 0, "garbage instead of an HTTP answer"),
    (b"HTTP/1.1 200 On\r\nX: " + b"x" * LONGEST_HEAD, 0, "endless answer head"),
    (b"HTTP/1.1 103 Hints\r\n\r\n" * 17, 0, "too many interim answers"),
])  # fmt: skip
async def test_what_is_no_leg(answer: bytes, status: int, reason: str) -> None:
    assert await outcome(answer) == Failed(status, reason, True)
