"""What is over leaves nothing behind, and no cycle that only a collection would find."""

import gc
from collections.abc import Callable, Iterator

import pytest

from sbc.transports.quic.connection import Http3Connection
from sbc.wire.http3.layer import HttpLayer
from tests.support.wait import wait_until
from tests.transports.desk import Desk, Owner
from tests.transports.quic import BRIEF, Porch

Alive = Callable[[], list[object]]


@pytest.fixture
def alive() -> Iterator[Alive]:
    """What is there that was not before: what other tests of this process have left is not ours."""
    gc.collect()
    before = found()
    gc.disable()
    yield lambda: [thing for thing in found() if not any(thing is other for other in before)]
    gc.enable()


def found() -> list[object]:
    return [thing for thing in gc.get_objects() if isinstance(thing, Http3Connection | HttpLayer)]


@pytest.mark.parametrize("engine", ["qh3", "aioquic"])
async def test_a_connection_that_is_over_is_gone(alive: Alive, engine: str) -> None:
    desk = Desk()
    async with Porch(desk, engine, handshake=0.3, times=BRIEF) as porch:
        for library in ("qh3", "aioquic"):
            client = await porch.client(library)
            await client.get()
            desk.script = lambda talk: talk.answer(b"x" * 100_000)
            await client.get(b"/big")
            desk.script = lambda talk: None
            client.tunnel(b"/")
            await wait_until(lambda: desk.doors, "the hello")
            desk.doors.pop()[0].admit([], Owner())
            client.ask(b"/wait")
            await wait_until(lambda: desk.talks[-1].request.path == b"/wait", "a request that is never answered")
            client.close()
            desk.talks.clear()
        porch.silent()
        mute = await porch.client()
        mute.ask(b"/wait")
        mute.mangle = lambda datagram: []
        await wait_until(lambda: desk.talks, "a request of one that falls silent")
        await wait_until(lambda: desk.talks[0].gone, "it is given up")
        desk.talks.clear()
        await wait_until(lambda: porch.tally.connections == 0, "all are over")
        await wait_until(lambda: not alive(), "all are gone", 5)
