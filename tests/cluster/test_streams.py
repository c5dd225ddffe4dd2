"""Event streams whose clients go on at another edge."""

import json
from typing import Any

from tests.cluster.test_edges_one_store import beside, on
from tests.support.asking import Stream, asking, web
from tests.support.edge import Edge
from tests.support.redis import Redis, needs_redis
from tests.support.scene import Scene

pytestmark = needs_redis
COUNT = 60


async def test_a_stream_that_has_to_begin_anew_at_its_node_is_announced_as_a_gap(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.plain("a", module="node_web")
    changes = web(scene)
    door = changes["listeners"][0] | {"listen": f"127.0.0.1:{other.port}"}
    await beside(scene, other, changes | {"listeners": [door], "edge": on(redis, "two")},
                 changes | {"edge": on(redis, "one")})
    heard: list[Any] = []
    async with asking() as http:
        last, edges = "", [scene.edge, other]
        while not heard or heard[-1] != COUNT:
            headers = {"X-Chat": "c", "Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            stream = Stream.opened(http, "GET", f"http://127.0.0.1:{edges[0].port}/events?count={COUNT}&ids=0&every=0.02",
                                   headers=headers)
            await (stream.has(1) if not heard else stream.ended())
            await stream.leave()
            for event in stream.events:
                last = event.identity or last
                heard.append(json.loads(event.data) if event.name else int(event.data.split()[0]))
            edges = edges[1:] or edges
    gap = heard.index({"lost": 1})
    assert heard[:gap] == list(range(1, gap + 1)) and heard[gap + 1:] == list(range(1, COUNT + 1))
