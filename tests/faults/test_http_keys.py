"""Sessions of requests by every kind of key: pinned, bound to who has them, and found again after a restart."""

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pytest

from tests.support.asking import Stream, asking, url, web
from tests.support.scene import Scene


async def asked(http: aiohttp.ClientSession, address: str, **how: Any) -> Stream:
    """A request, answered."""
    stream = Stream.opened(http, how.pop("method", "GET"), address, **how)
    await stream.ended()
    return stream


def bearer(session: str) -> dict[str, str]:
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "u", "chat": {"id": session}}).encode()).rstrip(b"=").decode()
    return {"Authorization": f"Bearer e30.{claims}.c2ln"}


KEYS = {"query": "chat", "jwt_claim": "chat.id", "json_field": "chat.id", "cookie": "chat", "header": "X-Chat",
        "path_segment": 0}


async def test_a_key_of_the_clients_own_pins_its_requests(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    routes = [{"match": {"path": "/" if kind == "path_segment" else f"/{kind}"}, "agent": "tutor", "protocol": "opaque",
               "policy": "default", "session": {kind: name}} for kind, name in KEYS.items()]
    await scene.open(web(scene) | {"routes": routes})

    async def ask(http: aiohttp.ClientSession, kind: str, key: str) -> Stream:
        path, headers, body = f"/{kind}/ask", {}, b""
        match kind:
            case "query":
                path += f"?chat={key}"
            case "path_segment":
                path = f"/{key}/ask"
            case "jwt_claim":
                headers = bearer(key)
            case "json_field":
                body = json.dumps({"chat": {"id": key}}).encode()
            case "cookie":
                headers = {"Cookie": f"x=1; chat={key}"}
            case "header":
                headers = {"X-Chat": key}
        return await asked(http, url(scene, path), method="PUT", headers=headers, data=body)
    async with asking() as http, asking("127.0.0.2") as stranger:
        first = {(kind, f"{kind}-{n}"): (await ask(http, kind, f"{kind}-{n}")).json for kind in KEYS for n in range(3)}
        assert {answer["node"] for answer in first.values()} == {"a", "b"}, "they are spread"
        for (kind, key), answer in first.items():
            again = (await ask(http, kind, key)).json
            assert again["node"] == answer["node"], kind
            assert again["told"]["session-id"] == answer["told"]["session-id"]
            assert again["told"]["session-message"] == "2"
        for kind in KEYS:
            other = (await ask(stranger, kind, f"{kind}-0")).json
            mine = first[kind, f"{kind}-0"]
            assert other["told"]["session-id"] != mine["told"]["session-id"], "another's key is another session"
            assert other["told"]["session-message"] == "1"
        scene.nodes["a"].kill()
        for (kind, key), answer in first.items():
            after = await ask(http, kind, key)
            assert (after.status, after.json["node"]) == (200, "b")
            assert after.json["told"]["session-id"] == answer["told"]["session-id"]


@pytest.mark.parametrize("kind", ["header", "cookie", "json"])
async def test_a_key_that_the_node_makes_is_learned_from_its_answer(scene: Scene, kind: str) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(web(scene, protocol="opaque", session={
        "header": {"header": "X-Chat"}, "cookie": {"cookie": "chat"}, "json": {"json_field": "id"}}[kind]))

    def key_of(answer: Stream) -> str:
        if kind == "json":
            return str(answer.json["id"])
        if kind == "header":
            return answer.headers["x-chat"]
        return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]

    async def ask(http: aiohttp.ClientSession, key: str) -> Stream:
        headers = {"header": {"X-Chat": key}, "cookie": {"Cookie": f"chat={key}"}, "json": {}}[kind]
        body = json.dumps({"id": key}).encode() if kind == "json" else b"{}"
        return await asked(http, url(scene, "/ask"), method="PUT", headers=headers, data=body)
    async with asking() as http, asking("127.0.0.2") as stranger:
        minted = [await asked(http, url(scene, f"/mint?by={kind}"), method="POST", data=b"{}") for _ in range(4)]
        assert {answer.json["node"] for answer in minted} == {"a", "b"}
        keys = [key_of(answer) for answer in minted]
        for answer, key in zip(minted, keys, strict=True):
            own = f"{answer.json['node']}-{answer.json['before'] + 1}"
            assert (key == own) is (kind == "json"), "a client is not shown what the node made"
            again = await ask(http, key)
            assert (again.status, again.json["node"]) == (200, answer.json["node"])
            told = again.json["told"]
            assert told["session-id"] == answer.json["told"]["session-id"]
            if kind != "json":
                assert told["x-chat" if kind == "header" else "cookie"].endswith(own), "the node sees its own"
        stolen = await ask(stranger, keys[0])
        if kind == "json":
            assert stolen.json["told"]["session-id"] != minted[0].json["told"]["session-id"]
        else:
            assert (stolen.status, stolen.json["error"]["code"]) == (403, "bad_key")
        owner = minted[0].json["node"]
        scene.nodes[owner].kill()
        after = await ask(http, keys[0])
        assert (after.status, after.json["told"]["session-id"]) == (200, minted[0].json["told"]["session-id"])
        assert after.json["node"] != owner


async def test_a_session_goes_on_with_its_owner_after_a_restart_of_the_edge(scene: Scene) -> None:
    scene.trunk("a", "b", module="node_http_trunk", checkpoint="answer")
    await scene.open(web(scene) | {"edge": {"store": f"sqlite:{scene.directory / 'sbc.db'}"}})

    async def say(http: aiohttp.ClientSession, n: int, key: str, say: int = 1) -> Stream:
        return await asked(http, url(scene, "/talk"), method="POST", headers={"X-Chat": key},
                           data=json.dumps({"n": n, "say": say, "every": 0.0}))
    async with asking() as http:
        owners = {}
        for key in "pqrs":
            await say(http, 1, key)
            owners[key] = (await say(http, 10, key, 2)).node
        before = {row["session"]: row["owner"] for row in await scene.edge.sessions()}
    await scene.edge.kept()
    scene.edge.kill()
    scene.edge.start()
    await scene.edge.ready()
    await scene.edge.sees(*scene.nodes.values())
    assert {row["session"]: row["owner"] for row in await scene.edge.sessions()} == before
    async with asking() as http:
        for key, owner in owners.items():
            answer = await say(http, 100, key)
            assert (answer.status, answer.end) == (200, "whole"), answer
            assert answer.events[0].json["sum"] == 111 and answer.node == owner
    assert {row["session"]: row["owner"] for row in await scene.edge.sessions()} == before


async def test_keys_that_nodes_made_lead_to_their_sessions_after_a_restart_of_the_edge(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(web(scene, protocol="opaque") | {"edge": {"store": f"sqlite:{scene.directory / 'sbc.db'}"}})
    async with asking() as http:
        minted = [await asked(http, url(scene, "/mint?by=header"), method="POST", data=b"{}") for _ in range(4)]
    await scene.edge.kept()
    scene.edge.kill()
    scene.edge.start()
    await scene.edge.ready()
    await scene.edge.sees(*scene.nodes.values())
    async with asking() as http:
        for answer in minted:
            # Two at once, while the session still sleeps.
            headers = {"X-Chat": answer.headers["x-chat"]}
            for again in await asyncio.gather(*(asked(http, url(scene, "/ask"), headers=headers) for _ in range(2))):
                assert (again.status, again.json["node"]) == (200, answer.json["node"])
                assert again.json["told"]["session-id"] == answer.json["told"]["session-id"]


async def test_what_clients_show_is_not_to_be_read_in_the_store(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    store = {"edge": {"store": f"sqlite:{scene.directory / 'sbc.db'}"}}
    await scene.open(web(scene, protocol="opaque", replay="all") | store)
    shown = {"Authorization": "Bearer t0psecret", "Cookie": "sid=t0psecret", "X-Api-Key": "t0psecret", "X-Own": "seen"}
    async with asking() as http:
        async def ask(n: int) -> Stream:
            return await asked(http, url(scene, f"/ask?n={n}&access_token=t0psecret"), headers=shown | {"X-Chat": "c"})
        owner = (await ask(1)).json["node"]
        assert (await ask(2)).json["node"] == owner
        await scene.edge.stop()
        files = [file.read_bytes() for file in scene.directory.glob("sbc.db*")]
        assert any(b"seen" in file for file in files), "the requests are there"
        assert not any(b"t0psecret" in file for file in files), "and what was shown is not"
        scene.nodes[owner].kill()
        scene.edge.start()
        await scene.edge.ready()
        other = next(node for name, node in scene.nodes.items() if name != owner)
        await scene.edge.sees(other)
        assert (await ask(3)).json["node"] == other.name
    heard = {fact["n"]: fact["told"] for fact in other.history("heard")}
    assert list(heard) == ["1", "2", "3"], "the new owner is told all of it"
    for told in heard.values():
        assert shown.items() <= {**{name: told[name.lower()] for name in shown}}.items()
        assert all("access_token" not in str(value) for value in told.values())


async def test_a_preflight_of_a_page_belongs_to_no_session_and_asks_the_node_for_what_is_its_own(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, protocol="sse", session={"query": "chat"}))
    page = {"Origin": "https://page.test"}
    asks = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "session-id, x-own"}
    async with asking() as http:
        answer = await asked(http, url(scene, "/ask?chat=1"), method="OPTIONS", headers=asks)
        told = answer.json["told"]
        assert (answer.status, told["access-control-request-headers"], told["origin"]) == (200, "x-own", page["Origin"])
        assert await scene.edge.sessions() == [] and "session-id" not in answer.headers
        assert (await asked(http, url(scene, "/ask?chat=1"), headers=page)).status == 200
        assert len(await scene.edge.sessions()) == 1
