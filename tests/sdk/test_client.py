"""The client SDK against an edge and nodes that are processes: what happens to connections is not its caller's."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from sbc.sdk.client import Gap, Refused, SessionEnded, Transport, Unreachable, connect
from tests.support.caller import Caller
from tests.support.edge import free_port
from tests.support.issuer import AUDIENCE, ISSUER, Issuer
from tests.support.oracle import exactly_once
from tests.support.relays import Network
from tests.support.scene import Scene
from tests.support.wait import wait_until

CLEAR = [Transport.HTTP1, Transport.HTTP2]
"""What there is without TLS."""


def listening(scene: Scene, **more: object) -> dict[str, object]:
    """One listener with everything that goes without TLS."""
    transports = ["http1", "websocket", "http2"]
    return {"listeners": [{"name": "plain", "listen": f"127.0.0.1:{scene.edge.port}", "transports": transports}]} | more


@pytest.fixture
async def network(scene: Scene) -> AsyncIterator[Network]:
    between = Network(scene.edge.port)
    await between.open()
    yield between
    await between.close()


async def test_a_connection_that_is_cut_and_a_node_that_is_killed_are_not_seen(scene: Scene, network: Network) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(listening(scene))
    for transport in CLEAR:
        before = network.connections
        async with Caller(f"http://127.0.0.1:{network.port}/", transports=[transport]) as caller:
            for _ in range(4):
                await caller.say(60, every=0.004)
                await caller.has(len(caller.heard) + 10)
                network.cut()
                await caller.say(2)
            owner = scene.owner(caller)
            owner.kill()
            await caller.say(2)
            await caller.answered()
            await caller.stands(transport)
            assert network.connections > before + 4
            assert not caller.gaps
            exactly_once(caller)
        assert caller.end == "said goodbye"
        await scene.no_sessions()
        owner.start()
        await scene.edge.sees(owner)


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
async def test_an_edge_that_is_started_again_gets_what_it_has_not_and_gives_what_it_owes(
        scene: Scene, killed: bool) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(listening(scene, edge={"store": f"sqlite:{scene.directory}/sbc.db"}))
    async with Caller(scene.edge.url, ping=5.0) as caller:
        for _ in range(20):
            await caller.say(10, every=0.002)
            await caller.has(len(caller.heard) + 1)
        if killed:
            scene.edge.kill()  # the store has not heard of everything yet; the client has kept it
        else:
            assert await scene.edge.stop() == 0
        for _ in range(5):
            await caller.say(2)
        scene.edge.start()
        await caller.answered()
        assert not caller.gaps
        exactly_once(caller)


async def test_a_network_that_goes_dark_is_noticed_and_left(scene: Scene, network: Network) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(listening(scene))
    async with Caller(f"http://127.0.0.1:{network.port}/", ping=0.2) as caller:
        await caller.say()
        await caller.answered()
        network.dark = True
        await caller.say(5)
        await wait_until(lambda: caller.session.transport is None, "it is noticed")
        network.dark = False
        network.cut()
        await caller.answered()
        exactly_once(caller)


async def test_a_gap_is_told_where_it_is(scene: Scene, network: Network) -> None:
    scene.plain("a")
    await scene.open(listening(scene, policies={"default": {"limits": {"journal": "16KiB", "message": "8KiB"}}}))
    async with Caller(f"http://127.0.0.1:{network.port}/", ping=0.2) as caller:
        await caller.say(1)
        await caller.say(80, every=0.005, pad=1000)
        await caller.has(3)
        network.dark = True
        network.cut()

        async def all_said() -> bool:
            return bool((await scene.edge.sessions())[0]["sent"] == caller.owed)
        await wait_until(all_said, "the node has said everything to the edge")
        network.dark = False
        network.cut()
        await wait_until(lambda: caller.gaps, "the gap")
        lost = caller.gaps[0].lost
        assert lost > 40
        await caller.has(caller.owed - lost)
        assert caller.gaps == [Gap(lost)]
        before = caller.before_gaps[0]
        exactly_once(caller, lost=range(before + 1, before + lost + 1))
        assert caller.session.ticket.received == caller.owed


async def test_a_session_that_another_client_took_over_is_over_here(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(listening(scene))
    async with Caller(scene.edge.url) as caller:
        await caller.say()
        await caller.answered()
        async with connect(scene.edge.url, session=caller.session.ticket) as other:
            ended = await caller.is_over()
            assert isinstance(ended, SessionEnded) and ended.code == 4409
            with pytest.raises(SessionEnded):
                await caller.session.send("nobody hears this")
            await other.send(json.dumps({"n": 2}))
            message = await anext(other)
            assert isinstance(message, str) and json.loads(message)["m"] == 2


async def test_a_client_that_leaves_comes_back_with_its_ticket(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(listening(scene))
    async with connect(scene.edge.url) as session:
        await session.send(json.dumps({"n": 1, "say": 6}))
        for _ in range(2):
            await anext(session)
        ticket = await session.leave()
        assert ticket.received == 2
    await scene.all_sessions("parked")
    async with connect(scene.edge.url, session=ticket, transports=[Transport.HTTP2]) as session:
        await session.send(json.dumps({"n": 2}))
        heard = [await anext(session) for _ in range(5)]
    assert [json.loads(str(message))["m"] for message in heard] == [3, 4, 5, 6, 7]
    with pytest.raises(Refused) as refused:
        async with connect(scene.edge.url, session=ticket):
            raise AssertionError("it came in")
    assert refused.value.status == 404, "who says goodbye cannot come back"


async def test_a_fresh_token_is_shown_in_time(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    issuer, asked = Issuer(), 0
    jwt = {"jwks": issuer.write(scene.directory / "jwks.json"), "issuer": ISSUER, "audience": AUDIENCE, "leeway": "0s"}
    await scene.open(listening(scene, policies={"default": {"auth": {"jwt": jwt}}}))

    async def token() -> str:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise ConnectionError("not now")
        return issuer.token("ann", 2.5)

    async with connect(scene.edge.url, bearer=token) as session:
        for times in (1, 3, 5):
            await wait_until(lambda: asked >= times, "a token was got")  # noqa: B023  it is awaited here
            await session.send(json.dumps({"n": times, "say": 1}))
            assert json.loads(str(await anext(session)))["n"] == times
    assert await scene.edge.metric("sbc_abuse_total", kind="expired") == 0


async def test_an_agent_that_says_goodbye_ends_the_iteration(scene: Scene) -> None:
    scene.plain("a", close_after=2, close_code=1000)
    await scene.open(listening(scene))
    async with Caller(scene.edge.url) as caller:
        await caller.say()
        await caller.say()
        assert await caller.is_over() == "said goodbye"


async def test_messages_that_are_too_long_for_either_side_end_the_session(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(listening(scene, policies={"default": {"limits": {"message": "10KiB"}}}))
    async with Caller(scene.edge.url) as caller, Caller(scene.edge.url, message=1000) as narrow:
        await caller.say(ballast=20_000)
        await narrow.say(pad=5000)
        for one in (caller, narrow):
            ended = await one.is_over()
            assert isinstance(ended, SessionEnded) and ended.code == 1009


async def test_a_session_that_nobody_can_take_is_waited_for_no_longer_than_patience(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(listening(scene), hold="1s")
    url = scene.edge.url
    async with Caller(url, patience=1.0) as caller:
        await caller.say()
        await caller.answered()
        scene.nodes["a"].kill()
        ended = await caller.is_over()
        assert isinstance(ended, SessionEnded) and ended.code == 1014
    with pytest.raises(Refused) as refused:
        async with connect(url, patience=0.5):
            raise AssertionError("it came in")
    assert refused.value.status == 503


async def test_an_edge_that_lets_nobody_in_yet_is_asked_again(scene: Scene) -> None:
    node, = scene.plain("a")
    await scene.open(listening(scene), hold="1s")
    node.kill()
    await scene.edge.sees(node, state="down")
    caller = Caller(scene.edge.url)
    entering = asyncio.create_task(caller.__aenter__())
    await wait_until(lambda: scene.edge.metric("sbc_refused_total"), "a first refusal")
    node.start()
    await entering
    await caller.say()
    await caller.answered()
    await caller.__aexit__()


async def test_an_edge_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(Unreachable):
        async with connect(f"http://127.0.0.1:{free_port()}/"):
            raise AssertionError("it came in")


async def test_an_edge_that_forgets_or_does_not_come_back_ends_the_session(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(listening(scene))
    forgotten, impatient = Caller(scene.edge.url), Caller(scene.edge.url, patience=0.5)
    async with forgotten, impatient:
        for caller in (forgotten, impatient):
            await caller.say()
            await caller.answered()
        scene.edge.kill()
        ended = await impatient.is_over()
        assert isinstance(ended, SessionEnded) and ended.code == 1006 and ended.reason
        scene.edge.start()  # with a store in memory
        ended = await forgotten.is_over()
        assert isinstance(ended, SessionEnded) and ended.code == 404


async def test_what_was_said_before_a_goodbye_is_heard_even_if_the_connection_breaks(
        scene: Scene, network: Network) -> None:
    node, = scene.trunk("a", checkpoint="message")
    await scene.open(listening(scene))
    async with Caller(f"http://127.0.0.1:{network.port}/") as caller:
        await caller.say()
        await caller.answered()
        network.dark = True
        for _ in range(5):
            await caller.say(ballast=1000)
        await wait_until(lambda: caller.session._outbox.written == 6, "it is written, and lost")
        network.cut()
        await wait_until(lambda: caller.session.transport is None, "it is noticed")
        network.dark = False
        network.cut()
    await scene.no_sessions()
    assert node.numbers() == [1, 2, 3, 4, 5, 6]


async def test_however_a_caller_leaves_nothing_is_left_behind(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(listening(scene))
    with pytest.raises(LookupError):
        async with connect(scene.edge.url):
            raise LookupError
    await scene.no_sessions()

    async def hear() -> None:
        async with connect(scene.edge.url) as session:
            async for _ in session:
                pass
    hearing = asyncio.create_task(hear())
    await scene.all_sessions("confirmed")
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing
    await scene.no_sessions()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("session")]


async def test_a_caller_that_says_more_than_is_taken_waits(scene: Scene, network: Network) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(listening(scene))
    for transport in CLEAR:
        async with Caller(f"http://127.0.0.1:{network.port}/", transports=[transport], outbox=64 * 1024) as caller:
            for number in range(60):
                await caller.say(ballast=10_000)
                if number % 20 == 10:
                    network.cut()
            await caller.say(3, pad=300_000)
            await caller.answered()
            exactly_once(caller)
