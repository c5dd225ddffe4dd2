"""Two edges that get the first requests of one key in the same moment: they make one session of it, and no error."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
import trustme

from tests.cluster.test_edges_one_store import beside, on
from tests.cluster.test_forwarding_edges import interconnect
from tests.support.asking import asking, web
from tests.support.edge import Edge
from tests.support.redis import Redis, needs_redis
from tests.support.scene import Scene
from tests.support.wait import wait_until

pytestmark = needs_redis
ROUNDS = 4
SIDE_BY_SIDE = 3


async def met(*edges: Edge) -> None:
    """Wait until the edges know of each other."""
    async def all_there() -> bool:
        answers = [await edge.get("/api/v1/edges") for edge in edges]
        return all(str(body).count("interconnect") == len(edges) for _, body in answers)
    await wait_until(all_there, "the edges have met")


async def ask(http: aiohttp.ClientSession, edge: Edge, key: str) -> tuple[int, Any]:
    async with http.post(f"http://127.0.0.1:{edge.port}/ask", headers={"X-Chat": key}, data=b"x" * 100) as answer:
        return answer.status, json.loads(await answer.read())


@pytest.mark.parametrize("reached", [True, False], ids=["interconnect", "alone"])
async def test_first_requests_of_one_key_at_two_edges_make_one_session(
    scene: Scene, other: Edge, redis: Redis, reached: bool,
) -> None:
    scene.plain("a", "b", module="node_http")
    authority, changes = trustme.CA(), web(scene, protocol="opaque", replay="all")
    door = changes["listeners"][0] | {"listen": f"127.0.0.1:{other.port}"}
    ways = {edge: {"interconnect": interconnect(edge.directory, authority)} if reached else {}
            for edge in (scene.edge, other)}
    await beside(scene, other, changes | {"listeners": [door], "edge": on(redis, "two") | ways[other]},
                 changes | {"edge": on(redis, "one") | ways[scene.edge]})
    if reached:
        await met(scene.edge, other)
    async with asking() as http:
        for number in range(ROUNDS):
            answers = await asyncio.gather(*(ask(http, edge, f"key-{number}") for _ in range(SIDE_BY_SIDE)
                                             for edge in (scene.edge, other)))
            assert [status for status, _ in answers] == [200] * len(answers), answers
            assert len({said["told"]["session-id"] for _, said in answers}) == 1
            assert len({said["node"] for _, said in answers}) == 1, "one node has it"
            said = sorted(int(said["told"]["session-message"]) for _, said in answers)
            assert said == list(range(1, len(answers) + 1)), "no request was counted twice, or for nothing"
    for edge in (scene.edge, other):
        assert "Traceback" not in edge.log()
