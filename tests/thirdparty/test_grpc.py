"""gRPC, by the official Python client and server, through the edge, with and without TLS."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.support.node_grpc import SERVICE, UNLIMITED
from tests.support.nodes import NodeProcess
from tests.support.wait import PATIENCE, wait_until
from tests.thirdparty.http_stage import WebScene

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOST = grpc.StatusCode.UNAVAILABLE


class Calls(WebScene):
    """Two gRPC servers behind an edge."""

    def channel(self, *, tls: bool = False, **options: Any) -> grpc.aio.Channel:
        settings = [*UNLIMITED, ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0),
                    *((f"grpc.{key}", value) for key, value in options.items())]
        if tls:
            return grpc.aio.secure_channel(f"localhost:{self.secure}", grpc.ssl_channel_credentials(
                self.ca.read_bytes()), settings)
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.edge.port}", settings)

    async def whole(self) -> None:
        """Both nodes are up."""
        for node in self.nodes.values():
            if not node.running:
                node.start()
            await node.serving()
        await self.edge.sees(*self.nodes.values())

    def named(self, message: bytes) -> NodeProcess:
        """The node whose name ends or begins a message."""
        return self.nodes[message.decode().strip("0123456789").split()[0]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Calls]:
    scene = Calls(tmp_path_factory.mktemp("grpc"))
    nodes = [scene.module(name, "node_grpc") for name in ("a", "b")]
    await scene.open(scene.tree({
        "pools": {"tutors": {"nodes": [{"name": node.name, "url": f"h2c://127.0.0.1:{node.port}"} for node in nodes],
                             "probe": {"path": None}}},
        "policies": {"default": {"limits": {"body": "4MiB"}}},
        "routes": [{"match": {"path": f"/{SERVICE}"}, "agent": "tutor", "session": {"header": "X-Session"}}],
    }), hold="10s")
    yield scene
    await scene.close()


@pytest_asyncio.fixture(loop_scope="module")
async def calls(opened: Calls) -> Calls:
    await opened.whole()
    return opened


@pytest_asyncio.fixture(loop_scope="module", params=[False, True], ids=["plain", "tls"])
async def channel(calls: Calls, request: pytest.FixtureRequest) -> AsyncIterator[grpc.aio.Channel]:
    async with calls.channel(tls=request.param) as channel:
        yield channel


async def test_all_four_kinds_of_calls(channel: grpc.aio.Channel) -> None:
    async def several() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"x" * number * 10
    assert (await channel.unary_unary(f"/{SERVICE}/Once")(b"hello")).endswith(b" hello")
    assert (await channel.unary_unary(f"/{SERVICE}/Once")(b"")).endswith(b" ")
    heard = [message async for message in channel.unary_stream(f"/{SERVICE}/Many")(b"200")]
    assert [int(message.split()[0]) for message in heard] == list(range(200))
    assert await channel.stream_unary(f"/{SERVICE}/Sum")(several()) == b"49500"
    assert [message async for message in channel.stream_stream(f"/{SERVICE}/Echo")(several())] == [
        b"x" * number * 10 for number in range(100)]


async def test_a_conversation(channel: grpc.aio.Channel) -> None:
    call = channel.stream_stream(f"/{SERVICE}/Echo")()
    for turn in (b"one", b"", b"three" * 10_000):
        await call.write(turn)
        assert await call.read() == turn
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_metadata_both_ways(calls: Calls, channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary(f"/{SERVICE}/Once")(b"", metadata=(("own", "yes"), ("own-bin", b"\x00\x01\xff")))
    await call
    first, last = await call.initial_metadata(), await call.trailing_metadata()
    assert (first["first"], first["bin-bin"], last["last"]) == ("yes", b"\x00\xff", "yes")
    seen = [fact for node in calls.nodes.values() for fact in node.history("once") if "own" in fact["metadata"]]
    assert seen[-1]["metadata"]["own-bin"] == str(b"\x00\x01\xff")
    assert seen[-1]["metadata"]["user-agent"].startswith("grpc-python")


@pytest.mark.parametrize("status", ["NOT_FOUND", "UNAUTHENTICATED", "INTERNAL", "ALREADY_EXISTS"])
async def test_a_status_behind_the_answer(channel: grpc.aio.Channel, status: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await channel.unary_unary(f"/{SERVICE}/Once")(b"", metadata=(("fail", status),))
    assert (fault.value.code().name, fault.value.details()) == (status, "as asked: ö")
    assert ("last", "yes") in tuple(fault.value.trailing_metadata())


async def test_an_answer_that_is_a_status_alone(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await channel.unary_unary(f"/{SERVICE}/Refuse")(b"")
    assert (fault.value.code(), fault.value.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "no more")
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await channel.unary_unary(f"/{SERVICE}/Nothing")(b"")
    assert fault.value.code() is grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await channel.unary_unary("/nobody.Serves/This")(b"")
    assert fault.value.code() is grpc.StatusCode.UNIMPLEMENTED  # what the edge's 404 means to a gRPC client


async def test_big_messages(channel: grpc.aio.Channel) -> None:
    async def several() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"y" * 3_000_000
    assert await channel.unary_unary(f"/{SERVICE}/Big")(b"20000000") == b"b" * 20_000_000
    assert await channel.stream_unary(f"/{SERVICE}/Sum")(several()) == b"12000000"
    assert [len(message) async for message in channel.stream_stream(f"/{SERVICE}/Echo")(several())] == [3_000_000] * 4


async def test_many_calls_at_a_time(channel: grpc.aio.Channel) -> None:
    async def ask(number: int) -> None:
        metadata = (("x-session", f"s{number % 7}"),)
        heard = [message async for message in channel.unary_stream(f"/{SERVICE}/Many")(b"20", metadata=metadata)]
        assert len(heard) == 20
        assert await channel.unary_unary(f"/{SERVICE}/Big")(b"50000", metadata=metadata) == b"b" * 50_000
    await asyncio.gather(*(ask(number) for number in range(60)))


async def test_a_deadline_and_a_cancellation_reach_the_node(calls: Calls, channel: grpc.aio.Channel) -> None:
    def cancelled() -> int:
        return sum(len(node.history("cancelled")) for node in calls.nodes.values())
    before = cancelled()
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await channel.unary_unary(f"/{SERVICE}/Once")(b"", metadata=(("wait", "30"),), timeout=1.5)
    assert fault.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await wait_until(lambda: cancelled() == before + 1, "the node knows that the time is up")
    call = channel.unary_stream(f"/{SERVICE}/Many")(b"1000", metadata=(("pause", "0.02"),))
    assert (await call.read()).startswith(b"0 ")
    call.cancel()
    await wait_until(lambda: cancelled() == before + 2, "the node knows that nobody listens")


async def test_calls_of_one_session_go_to_one_node(calls: Calls, channel: grpc.aio.Channel) -> None:
    once = channel.unary_unary(f"/{SERVICE}/Once")
    owners = set()
    for session in range(6):
        said = {await once(b"", metadata=(("x-session", f"pinned-{session}"),)) for _ in range(5)}
        assert len(said) == 1
        owners |= said
    assert len(owners) == 2


async def test_the_node_of_a_session_dies_between_calls(calls: Calls, channel: grpc.aio.Channel) -> None:
    once, metadata = channel.unary_unary(f"/{SERVICE}/Once"), (("x-session", "dies"),)
    for _ in range(2):
        owner = calls.named(await once(b"", metadata=metadata))
        owner.kill()
        heir = calls.named(await once(b"", metadata=metadata, timeout=PATIENCE))
        assert heir is not owner
        await calls.whole()


@pytest.mark.parametrize("after", [0, 3])
async def test_a_stream_whose_node_dies_never_ends_well(calls: Calls, channel: grpc.aio.Channel, after: int) -> None:
    call = channel.unary_stream(f"/{SERVICE}/Many")(b"1000", metadata=(("pause", "0.05"), ("x-session", "cut")))
    owner = calls.named(await call.read())
    for _ in range(after):
        await call.read()
    owner.kill()
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        while await call.read() is not grpc.aio.EOF:
            pass
    assert fault.value.code() is LOST and "the agent was lost" in str(fault.value.details())
    await channel.unary_unary(f"/{SERVICE}/Once")(b"", metadata=(("x-session", "cut"),), timeout=PATIENCE)


async def test_a_conversation_whose_node_dies_never_ends_well(calls: Calls, channel: grpc.aio.Channel) -> None:
    call = channel.stream_stream(f"/{SERVICE}/Echo")(metadata=(("x-session", "talk"),))
    await call.write(b"one")
    assert await call.read() == b"one"
    calls.named(await channel.unary_unary(f"/{SERVICE}/Once")(b"", metadata=(("x-session", "talk"),))).kill()
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await call.read()
    assert fault.value.code() is LOST and "the agent was lost" in str(fault.value.details())


async def test_a_call_whose_outcome_nobody_knows(calls: Calls, channel: grpc.aio.Channel) -> None:
    """The node had it and dies without a word: it must not be called again, and not be taken for done."""
    before = {name: len(node.history("once")) for name, node in calls.nodes.items()}
    call = asyncio.ensure_future(_awaited(channel.unary_unary(f"/{SERVICE}/Once")(b"", metadata=(("wait", "30"),))))

    def owner() -> NodeProcess | None:
        return next((node for name, node in calls.nodes.items() if len(node.history("once")) > before[name]), None)
    dead = await wait_until(owner, "the call is under way")
    assert dead is not None
    dead.kill()
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await call
    assert fault.value.code() is LOST and "the agent was lost" in str(fault.value.details())
    assert sum(len(node.history("once")) for node in calls.nodes.values()) == sum(before.values()) + 1


async def _awaited(call: Any) -> Any:
    return await call


async def test_a_stream_to_the_node_may_be_longer_than_any_body(calls: Calls, channel: grpc.aio.Channel) -> None:
    async def several() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"y" * 1_000_000
    assert await channel.stream_unary(f"/{SERVICE}/Sum")(several(), metadata=(("x-session", "long"),)) == b"8000000"


async def test_a_call_that_nobody_can_take(calls: Calls, channel: grpc.aio.Channel) -> None:
    """Both nodes are down: what is said is a gRPC status, in time."""
    for node in calls.nodes.values():
        node.kill()
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await channel.unary_unary(f"/{SERVICE}/Once")(b"", timeout=8)
    assert fault.value.code() is LOST and "no node can take the" in str(fault.value.details())
    await calls.edge.sees(*calls.nodes.values(), state="down")


async def test_an_honest_client_may_ping(calls: Calls) -> None:
    """gRPC measures its bandwidth with a PING to every burst of data, and asks whether the edge lives."""
    async with calls.channel(keepalive_time_ms=100, keepalive_permit_without_calls=1, **{
            "http2.max_pings_without_data": 0, "http2.min_time_between_pings_ms": 50}) as channel:
        call = channel.unary_stream(f"/{SERVICE}/Many")(b"150", metadata=(("pause", "0.01"),))
        assert len([message async for message in call]) == 150
        assert len(await channel.unary_unary(f"/{SERVICE}/Big")(b"9000000")) == 9_000_000
        await asyncio.sleep(0.5)
        assert len(await channel.unary_unary(f"/{SERVICE}/Big")(b"9000")) == 9_000
