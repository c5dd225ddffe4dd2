"""The official MCP SDK, whose server dies or is drained in the middle of its calls: the client need not notice, and if
it has to be told, it is told the truth, and goes on with the same session.
"""

import asyncio
import signal
from typing import Any

import pytest
from mcp.client.subscriptions import ResourceUpdated, Subscription
from mcp.shared.exceptions import MCPError

from tests.support.edge import Edge
from tests.support.wait import PATIENCE, wait_until
from tests.thirdparty.mcp_stage import LEGACY, MODERN, NOT_SENT, UNKNOWN, Stage, User, configuration

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.mark.parametrize(("form", "mode"), [
    ("mcp", LEGACY), ("json", LEGACY), ("single", LEGACY), ("mcp", MODERN),
])  # fmt: skip
async def test_a_call_that_may_be_made_again(stage: Stage, form: str, mode: str) -> None:
    key = f"again-{form}-{mode}"
    async with User(stage.url(form), mode) as user:
        await user.client.list_tools()  # says which tools only read
        if form == "json":
            call = asyncio.create_task(user.call("count", key))
            await wait_until(lambda: stage.did("count", key), "the call is under way")
            dead = stage.nodes[stage.did("count", key)[0]]
            dead.kill()
            result = await call
        else:
            dead, result = await stage.kill_in_the_middle(user, "count", key)
            assert user.progress[key] == [1, 2, 3, 4, 5, 6]
        assert result == f"{key} by {stage.beside(dead).name}"
        assert await user.who() == stage.beside(dead).name


@pytest.mark.parametrize(("form", "tool", "mode"), [
    ("mcp", "pay", LEGACY), ("wary", "count", LEGACY), ("mcp", "pay", MODERN),
])  # fmt: skip
async def test_a_call_whose_outcome_nobody_knows(stage: Stage, form: str, tool: str, mode: str) -> None:
    key = f"unknown-{form}-{mode}"
    async with User(stage.url(form), mode) as user:
        await user.client.list_tools()
        before = await user.who()
        dead, fault = await stage.kill_in_the_middle(user, tool, key)
        assert isinstance(fault, MCPError), fault
        assert (fault.error.code, fault.error.data["outcome"]) == (UNKNOWN, "unknown")
        assert stage.did(tool, key) == [dead.name]
        assert await user.who() == stage.beside(dead).name
        assert mode == MODERN or before == dead.name
        assert (await user.ask()) == f"me by {stage.beside(dead).name}"


async def test_a_session_outlives_owner_after_owner(stage: Stage) -> None:
    async with User(stage.url("mcp")) as user:
        client = user.client
        await client.list_tools()
        await client.subscribe_resource("note://x")
        for turn in range(2):
            owner = stage.nodes[await user.who()]
            dead, said = await stage.kill_in_the_middle(user, "count", f"turn-{turn}")
            heir = stage.beside(owner)
            assert (dead, said) == (owner, f"turn-{turn} by {heir.name}")
            # What may have been missed is said to have changed, on the stream that the client has had all the time.
            await user.told(2 * turn + 1)
            assert {"note://x"} == {fact["uri"] for fact in heir.history("subscribed")}
            await client.call_tool("touch", {"uri": "note://x"})
            await user.told(2 * turn + 2)
            assert await user.ask() == f"me by {heir.name}"
            await stage.whole()
        assert user.requests["GET"] == 1


async def test_a_quick_call_finds_its_owner_dead(stage: Stage) -> None:
    async with User(stage.url("wary")) as user:
        owner = stage.nodes[await user.who()]
        owner.kill()
        assert await user.who() == stage.beside(owner).name


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_a_drain_between_calls_is_not_noticed(stage: Stage, mode: str) -> None:
    async with User(stage.url("wary"), mode) as user:
        await user.client.list_tools()
        if mode == LEGACY:
            await user.client.subscribe_resource("note://x")
        key = f"drained-{mode}"
        call = asyncio.create_task(user.call("pay", key))
        await user.reached(key)
        owner = stage.nodes[stage.did("pay", key)[0]]
        status, _ = await stage.edge.post(f"/api/v1/nodes/{owner.name}/drain")
        assert status == 202
        assert await call == f"{key} by {owner.name}"  # the turn ends where it began
        assert user.progress[key] == [1, 2, 3, 4, 5, 6]

        async def moved() -> bool:
            return await user.who() == stage.beside(owner).name
        await wait_until(moved, "the session has moved")
        if mode == LEGACY:
            told = len(user.updates())
            await user.client.call_tool("touch", {"uri": "note://x"})
            await user.told(told + 1)
            assert user.requests["GET"] == 1


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_a_node_that_dies_while_its_client_thinks(stage: Stage, mode: str) -> None:
    async with User(stage.url("mcp"), mode) as user:
        await user.client.list_tools()
        user.before_telling.append(lambda: stage.asking().kill())
        # In the newer era another node is asked to go on, which cannot open the state that the dead one had made.
        with pytest.raises(MCPError, match="the agent was lost" if mode == LEGACY else "requestState") as fault:
            await user.ask()
        assert mode == MODERN or fault.value.error.code == UNKNOWN, fault.value.error
        assert (await user.ask()).startswith("me by ")


async def test_many_clients_while_nodes_come_and_go(stage: Stage) -> None:
    over, turns = asyncio.Event(), [0] * 8

    async def live(number: int) -> None:
        async with User(stage.url("mcp"), (LEGACY, MODERN)[number % 2]) as user:
            await user.client.list_tools()
            while not over.is_set():
                key = f"{number}-{turns[number]}"
                assert (await user.call("count", key, count=4, pause=0.03)).startswith(f"{key} by ")
                assert user.progress[key] == [1, 2, 3, 4]
                turns[number] += 1
            assert user.requests["GET"] == (number + 1) % 2

    async def reap() -> None:
        for node in stage.nodes.values():
            await asyncio.sleep(0.2)  # some calls, wherever they are by then
            node.kill()
            await stage.whole()
        await wait_until(lambda: all(turns), "each has been answered")
        over.set()
    await asyncio.gather(*(live(number) for number in range(8)), reap())


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_no_node_at_all_and_then_one(stage: Stage, mode: str) -> None:
    async with User(stage.url("json"), mode) as user:
        await user.who()
        for node in stage.nodes.values():
            node.kill()
        with pytest.raises(MCPError) as fault:
            await user.who()
        assert fault.value.error.code == NOT_SENT, fault.value.error
        assert fault.value.error.data == {"outcome": "not-sent", "reason": "no_node"}
        await stage.whole()
        assert await user.who() in stage.nodes


async def test_a_subscription_outlives_its_nodes(stage: Stage) -> None:
    async with User(stage.url("mcp"), MODERN) as user, \
            user.client.listen(resource_subscriptions=["note://x"]) as events:
        where, = (node for node in stage.nodes.values() if node.history("listening"))
        for turn in range(3):
            if turn < 2:
                where.kill()
            else:
                where.signal(signal.SIGUSR1)  # the node ends its subscriptions itself
            assert await next_of(events) == ResourceUpdated("note://x")  # it may have changed meanwhile
            where = stage.beside(where)
            await stage.touch(where, "note://x")
            assert await next_of(events) == ResourceUpdated("note://x")
            await stage.whole()


async def next_of(events: Subscription) -> Any:
    return await asyncio.wait_for(anext(events), PATIENCE)


async def test_an_edge_that_is_started_again(stage: Stage) -> None:
    """Subscriptions end in good order when it is stopped. What sessions go through: test_restart.py."""
    edge = Edge(stage.directory / "sqlite")
    edge.directory.mkdir()
    stored = {"edge": {"store": f"sqlite:{edge.directory}/db"}}
    edge.configure(list(stage.nodes.values()), configuration(edge.port) | stored)
    edge.start()
    try:
        await edge.ready()
        await edge.sees(*stage.nodes.values())
        url = f"http://127.0.0.1:{edge.port}/mcp"
        async with User(url, MODERN) as user, user.client.listen(resource_subscriptions=["note://x"]) as events:
            stopping = asyncio.create_task(edge.stop())
            with pytest.raises(StopAsyncIteration):  # in good order: it is not lost, and nothing was missed
                await next_of(events)
            assert await stopping == 0
        edge.start()
        await edge.ready()
        await edge.sees(*stage.nodes.values())
        async with User(url) as user:
            assert await user.who() in stage.nodes
    finally:
        edge.kill()
