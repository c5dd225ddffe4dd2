"""Event streams whose edge is killed in the midst: their clients go on at another edge."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.cluster.test_edges_one_store import beside, on
from tests.support.asking import Heard, Stream, asking, web
from tests.support.edge import Edge
from tests.support.redis import Redis, needs_redis
from tests.support.scene import Scene

pytestmark = needs_redis
COUNT = 60
EVENTS = {"Accept": "text/event-stream"}


@asynccontextmanager
async def cut_off(scene: Scene, other: Edge, targets: dict[str, str]) -> AsyncIterator[dict[str, tuple[Any, Any]]]:
    """A stream of each target, at one edge until that is killed, and then at the other."""
    async with asking() as http:
        def opened(edge: Edge, key: str, **more: str) -> Stream:
            return Stream.opened(http, "GET", f"http://127.0.0.1:{edge.port}{targets[key]}",
                                 headers={"X-Chat": key, **EVENTS, **more})
        before = {key: opened(scene.edge, key) for key in targets}
        await asyncio.gather(*(stream.has(COUNT // 4) for stream in before.values()))
        scene.edge.kill()
        await asyncio.gather(*(stream.ended() for stream in before.values()))
        after = {key: opened(other, key, **{"Last-Event-ID": stream.events[-1].identity})
                 for key, stream in before.items()}
        await asyncio.gather(*(stream.ended() for stream in after.values()))
        yield {key: (before[key], after[key]) for key in targets}


def heard(*streams: Stream) -> list[Heard]:
    return [event for stream in streams for event in stream.events]


async def test_streams_go_on_where_their_nodes_can_go_on_and_begin_anew_behind_a_gap_where_not(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.trunk("s", module="node_http_trunk", checkpoint="message")
    scene.plain("p", module="node_web")

    def at(edge: Edge, name: str) -> dict[str, Any]:
        changes = web(scene)
        [door], [plain] = changes["listeners"], changes["routes"]
        node = scene.nodes["p"]
        counting = plain | {"match": {"path": "/sdk"}, "agent": "counting"}
        return changes | {
            "edge": on(redis, name), "listeners": [door | {"listen": f"127.0.0.1:{edge.port}"}],
            "trunk": {"listen": f"127.0.0.1:{edge.trunk}", "advertise": edge.trunk_url},
            "pools": {"plain": {"nodes": [{"name": "p", "url": f"http://127.0.0.1:{node.port}"}]}},
            "agents": {"tutor": {"durability": "sync", "pool": "plain"},
                       "counting": {"durability": "sync", "pool": "tutors", "migration": {"output": "continue"}}},
            "routes": [plain, counting],
        }
    await beside(scene, other, at(other, "two"), at(scene.edge, "one"))
    targets = {"ids": f"/events?count={COUNT}&every=0.03", "none": f"/events?count={COUNT}&ids=0&every=0.03",
               "sdk": f"/sdk?n=5&say={COUNT}&every=0.03"}
    async with cut_off(scene, other, targets) as streams:
        assert {key: (one.end, two.end) for key, (one, two) in streams.items()} == dict.fromkeys(
            targets, ("cut", "whole"))
        assert [int(event.data.split()[0]) for event in heard(*streams["ids"])] == list(range(1, COUNT + 1))
        said = [event.json for event in heard(*streams["sdk"])]
        assert [(one["i"], one["sum"]) for one in said] == [(number, 5) for number in range(COUNT)]
        assert said[-1]["epoch"] > said[0]["epoch"], "it was claimed"
        began, anew = streams["none"]
        first, *rest = anew.events
        assert (first.name, json.loads(first.data)) == ("session-gap", {"lost": 1})
        assert [int(event.data.split()[0]) for event in began.events][:3] == [1, 2, 3]
        assert [int(event.data.split()[0]) for event in rest] == list(range(1, COUNT + 1))
    counted = [fact for fact in scene.nodes["s"].history("heard") if not fact["resumed"]]
    assert len(counted) == 1, "it was processed once"
    assert "Traceback" not in other.log()
