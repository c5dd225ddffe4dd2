"""Two edges of one store: requests go to the one that has their session, on a way that lets in nobody else."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import trustme
import yaml

from tests.cluster.test_edges_one_store import beside, on
from tests.cluster.test_forwarding_workers import memory
from tests.support.asking import Stream, asking, web
from tests.support.edge import Edge, free_port
from tests.support.h2_client import H2Client
from tests.support.redis import Redis, needs_redis
from tests.support.scene import Scene
from tests.support.wait import wait_until

pytestmark = needs_redis

MEGABYTE = 1024 * 1024
HOP = (b"sbc-hop", b'["127.0.0.1",false,"plain",""]')


def interconnect(directory: Path, authority: trustme.CA) -> dict[str, Any]:
    """An edge's own."""
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(directory / "edge.pem"))
    authority.cert_pem.write_to_path(str(directory / "edges.pem"))
    own = str(directory / "edge.pem")
    return {"listen": f"127.0.0.1:{free_port()}", "tls": {"cert": own, "key": own, "ca": str(directory / "edges.pem")}}


async def two_edges(scene: Scene, other: Edge, redis: Redis, authority: trustme.CA) -> dict[str, int]:
    """Edges `one` (the scene's) and `two`, and the ports of their interconnects."""
    scene.plain("a", "b", module="node_http")
    changes = web(scene, protocol="opaque", hold="60s")
    ways = {edge: interconnect(edge.directory, authority) for edge in (scene.edge, other)}
    door = changes["listeners"][0] | {"listen": f"127.0.0.1:{other.port}"}
    await beside(scene, other,
                 changes | {"listeners": [door], "edge": on(redis, "two") | {"interconnect": ways[other]}},
                 changes | {"edge": on(redis, "one") | {"interconnect": ways[scene.edge]}})
    return {name: int(ways[edge]["listen"].rpartition(":")[2]) for name, edge in (("one", scene.edge), ("two", other))}


async def heard_of_each_other(edge: Edge) -> None:
    """Wait until this one knows both: before that it would claim a session in the place of asking the other one."""
    async def known() -> bool:
        return len((await edge.get("/api/v1/edges"))[1]["edges"]) == 2
    await wait_until(known, "both edges are known")


async def ask(http: aiohttp.ClientSession, edge: Edge, path: str = "/ask", **headers: str) -> tuple[int, Any]:
    async with http.get(f"http://127.0.0.1:{edge.port}{path}", headers=headers) as answer:
        return answer.status, json.loads(await answer.read())


async def test_requests_go_to_the_edge_that_has_their_session_as_long_as_that_lives(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    await two_edges(scene, other, redis, trustme.CA())
    mine = {"X-Chat": "mine"}
    async with asking() as http, asking("127.0.0.5") as stranger:
        _, first = await ask(http, scene.edge, **mine)

        async def met() -> bool:
            status, said = await ask(http, other, **mine)
            assert (status, said["told"]["session-id"]) == (200, first["told"]["session-id"])
            return await other.metric("sbc_forwarded_total", way="request", outcome="answered") > 0
        await heard_of_each_other(other)
        await wait_until(met, "the edges have met")
        _, said = await ask(http, other, **mine, **{"Sbc-Hop": '["127.0.0.9",true,"plain",""]'})
        assert said["told"]["x-forwarded-for"] == "127.0.0.1" and "sbc-hop" not in said["told"]
        assert said["told"]["session-epoch"] == first["told"]["session-epoch"], "it was not claimed"
        assert await other.metric("sbc_claims_total", outcome="granted") == 0
        assert await other.metric("sbc_interconnect_up", to="one") == 1
        assert not await other.sessions() and len(await scene.edge.sessions()) == 1
        _, apart = await ask(stranger, other, **mine)
        assert apart["told"]["session-id"] != said["told"]["session-id"], "another client's key is another key"
        place = f"http://127.0.0.1:{other.port}"
        events = Stream.opened(http, "GET", f"{place}/events?count=1000&every=0.02", headers=mine)
        waiting = Stream.opened(http, "POST", f"{place}/ask?after=20", headers=mine, data=b"x")
        before = [memory(edge.pid) for edge in (scene.edge, other)]
        async with http.get(f"{place}/bytes?size={60 * MEGABYTE}", headers=mine) as answer:
            await asyncio.sleep(0.5)  # it is not read: what both edges hold of it is bounded
            assert max(memory(edge.pid) - was for edge, was in zip((scene.edge, other), before, strict=True)) < 12e6
            answer.close()
        await events.has(5)
        await wait_until(lambda: any("after=20" in str(fact) for node in scene.nodes.values()
                                     for fact in node.history()), "the node has the request")
        scene.edge.kill()
        assert await events.ended() == "cut"
        await waiting.ended()
        assert (waiting.status, waiting.headers["session-outcome"]) == (502, "unknown")

        async def goes_on() -> bool:
            status, said = await ask(http, other, **mine)
            return status == 200 and said["told"]["session-epoch"] > first["told"]["session-epoch"]
        await wait_until(goes_on, "the session goes on at the edge that is left")
    assert await other.metric("sbc_claims_total", outcome="granted") == 1
    assert "Traceback" not in other.log()


async def test_the_interconnect_lets_in_edges_alone_and_sends_nothing_on(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    authority, foreign = trustme.CA(), trustme.CA()
    ports = await two_edges(scene, other, redis, authority)

    def trust(issuer: trustme.CA | None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2"])
        authority.configure_trust(context)
        if issuer is not None:
            issuer.issue_cert("localhost").configure_cert(context)
        return context
    for shown in (None, foreign):
        refused = False
        try:
            intruder = await H2Client.connect(ports["two"], tls=trust(shown))
            refused = (await intruder.reader.read()) == b""
        except (ssl.SSLError, ConnectionError):  # TLS 1.3 tells a client with the first thing it reads
            refused = True
        assert refused
    async with asking() as http:
        _, first = await ask(http, scene.edge, **{"X-Chat": "mine"})
    liar = await H2Client.connect(ports["two"], tls=trust(authority))
    # What does not say whose it is is nobody's; and what is not here was sent by one who should have known.
    for fields, status in (([], 400), ([(b"sbc-hop", b'["nobody",false,"plain",""]')], 400), ([HOP, HOP], 400),
                           ([(b"sbc-ask", b"[1]")], 400), ([HOP, (b"x-chat", b"mine")], 503), ([HOP], 200)):
        stream = await liar.ask(b"/ask", fields=[*REQUEST, *fields])
        answer = await liar.answer(stream)
        assert answer.status == status, (fields, answer)
        assert status != 503 or json.loads(answer.body)["error"]["code"] == "second_hop"
    owner = await H2Client.connect(ports["one"], tls=trust(authority))
    stream = await owner.ask(b"/ask", fields=[*REQUEST, HOP, (b"x-chat", b"mine")])
    said = json.loads((await owner.answer(stream)).body)
    assert said["told"]["session-id"] == first["told"]["session-id"]
    assert await other.metric("sbc_abuse_total", kind="interconnect") == 4
    assert "Traceback" not in other.log()


async def test_a_reload_takes_other_certificates(scene: Scene, other: Edge, redis: Redis) -> None:
    await two_edges(scene, other, redis, trustme.CA())
    renewed = trustme.CA()
    mine = {"X-Chat": "mine"}
    async with asking() as http:
        _, first = await ask(http, scene.edge, **mine)

        await heard_of_each_other(other)

        async def forwarded(more: float = 0) -> bool:
            await ask(http, other, **mine)
            return await other.metric("sbc_forwarded_total", way="request", outcome="answered") > more
        await wait_until(forwarded, "the edges have met")
        for edge in (scene.edge, other):
            interconnect(edge.directory, renewed)
            status, answer = await edge.post("/api/v1/reload")
            assert status == 200, answer
        so_far = await other.metric("sbc_forwarded_total", way="request", outcome="answered")
        assert await forwarded(so_far)
        _, said = await ask(http, other, **mine)
        assert said["told"]["session-epoch"] == first["told"]["session-epoch"], "it was not claimed"
        port = int(yaml.safe_load(other.file.read_text())["edge"]["interconnect"]["listen"].rpartition(":")[2])
        shown = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        assert shown in (other.directory / "edge.pem").read_text()
        (other.directory / "edge.pem").write_text("nonsense")
        status, answer = await other.post("/api/v1/reload")
        assert status == 422, answer
        assert await forwarded(so_far + 1), "what was in force is"


REQUEST = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"x"), (b":path", b"/ask")]
