"""The official MCP SDK on both sides of two edges, one of which is killed while calls are answered.

The servers know nothing of edges: what goes on is what MCP lets go on. A server that keeps its events is asked for the
rest; of one that does not, only what is safe is asked again; and of all else the client is told that nobody knows.
"""

import asyncio
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.cluster.test_edges_one_store import beside, on
from tests.support.balancer import Balancer
from tests.support.edge import Edge
from tests.support.redis import Redis, needs_redis
from tests.support.scene import Scene
from tests.thirdparty.mcp_stage import MODERN, UNKNOWN, User, configuration

pytestmark = [needs_redis, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
STEPS = {"count": 12, "pause": 0.1}


def at(edge: Edge, redis: Redis, name: str) -> dict[str, Any]:
    told = configuration(edge.port)
    for agent in ("trusting", "wary"):
        told["agents"][agent]["durability"] = "sync"
    return told | {"edge": on(redis, name)}


async def test_calls_go_on_as_far_as_their_server_lets_them(scene: Scene, other: Edge, redis: Redis) -> None:
    scene.plain("a", module="node_mcp")
    await beside(scene, other, at(other, redis, "two"), at(scene.edge, redis, "one"))
    node = scene.nodes["a"]
    async with Balancer((scene.edge.port, other.port)) as way:
        place = f"http://127.0.0.1:{way.port}"
        async with (User(f"{place}/polled") as keeping, User(f"{place}/mcp") as user, User(f"{place}/wary") as wary,
                    User(f"{place}/mcp", MODERN) as modern):  # fmt: skip
            assert (await modern.who(), await user.who()) == ("a", "a"), "the client knows the tools now, and the edge"
            kept = asyncio.create_task(keeping.call("pay", "kept", **STEPS))
            safe = asyncio.create_task(user.call("count", "safe", **STEPS))
            lost = asyncio.create_task(wary.call("pay", "lost", **STEPS))
            await asyncio.gather(keeping.reached("kept", 3), user.reached("safe", 3), wary.reached("lost", 3))
            scene.edge.kill()
            assert (await kept, await safe) == ("kept by a", "safe by a")
            for one, key in ((keeping, "kept"), (user, "safe")):
                assert one.progress[key] == [*range(1, STEPS["count"] + 1)], "nothing is said twice, nothing missing"
            with pytest.raises(MCPError) as fault:
                await lost
            assert fault.value.error.code == UNKNOWN
            assert (await user.who(), await wary.who(), await keeping.who()) == ("a", "a", "a")
            assert await modern.who() == "a"
    done = {key: len([fact for kind in ("pay", "count") for fact in node.history(kind) if fact["key"] == key])
            for key in ("kept", "safe", "lost")}
    assert done == {"kept": 1, "safe": 2, "lost": 1}
    assert "Traceback" not in other.log()
