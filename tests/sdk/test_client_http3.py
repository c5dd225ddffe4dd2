"""The client SDK over HTTP/3, against an edge with both engines."""

from collections.abc import AsyncIterator
from typing import cast

import pytest

from sbc.sdk.client import Refused, SessionEnded, Transport, Unreachable, connect, race
from sbc.sdk.client.http3 import Http3Connection, dial_http3
from sbc.sdk.client.stream import Origin
from tests.support.caller import Caller
from tests.support.oracle import exactly_once
from tests.support.quic import ENGINES, ca_file, secure
from tests.support.relays import Network
from tests.support.scene import Scene


@pytest.fixture
async def network(scene: Scene) -> AsyncIterator[Network]:
    between = Network(scene.edge.port)
    await between.open()
    yield between
    await between.close()


def caller(scene: Scene, port: int, *transports: Transport, **how: object) -> Caller:
    """A client of the edge, by its own port or another's."""
    how = {"ca_file": ca_file(scene), "transports": transports or [Transport.HTTP3], **how}
    return Caller(f"https://localhost:{port}/", **how)


async def test_an_edge_that_is_started_again(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(secure(scene, {"edge": {"store": f"sqlite:{scene.directory}/sbc.db"}}))
    async with caller(scene, scene.edge.port, ping=1.0) as client:
        await client.say(100, every=0.01)
        await client.has(20)
        assert await scene.edge.stop() == 0
        scene.edge.start()
        await client.say(2)
        await client.answered()
        assert scene.edge.running
        await client.say(20)
        await client.answered()
        scene.edge.kill()
        scene.edge.start()
        await client.say(2)
        await client.answered()
        assert not client.gaps
        exactly_once(client)


@pytest.mark.parametrize("engine", ENGINES)
async def test_messages_of_any_size_both_ways(scene: Scene, engine: str) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(secure(scene, engine=engine))
    async with caller(scene, scene.edge.port, outbox=256 * 1024, ping=5.0) as client:
        for size in (0, 1, 125, 126, 1100, 65536, 200_000, 900_000):
            await client.say(2, pad=size, ballast=size)
        for _ in range(30):
            await client.say(ballast=30_000)
        await client.answered()
        exactly_once(client)
    assert await scene.edge.metric("sbc_admissions_total", outcome="reattached") == 0


async def test_where_udp_goes_dark_it_goes_on_over_tcp(
    scene: Scene, network: Network, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(race, "HEAD_START", 2.0)  # on a busy machine it would lose the race now and then
    scene.trunk("a", checkpoint="message")
    await scene.open(secure(scene))
    async with caller(scene, network.port, *Transport, ping=0.3) as client:
        assert client.session.transport is Transport.HTTP3
        await client.say(100, every=0.01)
        await client.has(10)
        network.dark_udp = True
        await client.has(20)
        await client.stands(Transport.HTTP2)
        await client.say(2)
        await client.answered()
        exactly_once(client)


async def test_a_head_that_the_library_cannot_say_goes_over_tcp(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(secure(scene))
    async with caller(scene, scene.edge.port, *Transport, headers={"X-Token": "y" * 6000}) as client:
        assert client.session.transport is Transport.HTTP2
        await client.say(2)
        await client.answered()
    with pytest.raises(Unreachable, match="header field"):
        await connect(f"https://localhost:{scene.edge.port}/", ca_file=ca_file(scene), transports=[Transport.HTTP3],
                      headers={"X-Token": "y" * 6000}).__aenter__()


async def test_ends_and_refusals(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(secure(scene))
    url, how = f"https://localhost:{scene.edge.port}/", {"ca_file": ca_file(scene), "transports": [Transport.HTTP3]}
    async with caller(scene, scene.edge.port) as first:
        await first.say()
        await first.answered()
        ticket = first.session.ticket
        async with connect(url, session=ticket, **how):  # type: ignore[arg-type]
            ended = await first.is_over()
            assert isinstance(ended, SessionEnded) and ended.code == 4409
    with pytest.raises(Refused) as refused:
        async with connect(url, session=ticket, **how):  # type: ignore[arg-type]
            raise AssertionError("it came in")
    assert (refused.value.status, refused.value.reason) == (404, "this session has ended")


async def test_what_is_written_after_the_connection_was_closed_goes_nowhere(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(secure(scene))
    connection = cast(Http3Connection, await dial_http3(Origin(True, "localhost", scene.edge.port), scene.edge.port,
                                                        ca_file(scene)))
    stream = await connection.open("/", {"sec-websocket-version": "13"})
    connection._quic.close(error_code=0)  # the library tells of it only when it is flushed
    stream.write(b"lost")
    with pytest.raises(ConnectionError):
        await stream.drain()
    connection.abort()
