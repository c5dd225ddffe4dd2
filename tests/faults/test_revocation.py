"""What is taken away while it is in use: revoked by an operator, or gone from the configuration."""

import hashlib
from typing import Any

import aiohttp
import pytest
import yaml

from tests.faults.test_identity import asked, bearer, guarded
from tests.support.asking import Stream, asking, url
from tests.support.clients import InvalidStatus, Talker
from tests.support.issuer import Issuer
from tests.support.scene import Scene

ANN = "jwt:https://idp.example#ann"
LONG = "/events?count=4000&every=0.05"


def token_of(issuer: Issuer, name: str, jti: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token(name, jti=jti)}"}


async def revoke(scene: Scene, ended: int, **order: Any) -> None:
    status, answer = await scene.edge.post("/api/v1/revocations", order)
    assert (status, answer["ended"]) == (201, ended), answer


async def refused(client: Talker, status: int, **how: Any) -> None:
    with pytest.raises(InvalidStatus) as why:
        await client.open(**how)
    assert why.value.response.status_code == status


async def served(client: Talker) -> None:
    await client.say()
    await client.answered()


async def standing(http: aiohttp.ClientSession, scene: Scene, headers: dict[str, str], chat: str = "") -> Stream:
    stream = Stream.opened(http, "GET", url(scene, LONG), headers=headers | ({"X-Chat": chat} if chat else {}))
    await stream.has(1)
    return stream


async def test_what_is_revoked_ends_and_stays_out(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    issuer = Issuer()
    store = {"edge": {"store": f"sqlite:{scene.directory}/sbc.db"}}
    await scene.open(guarded(scene, issuer) | store)
    first, second, bob = (token_of(issuer, *who) for who in (("ann", "t1"), ("ann", "t2"), ("bob", "t3")))
    async with asking() as http:
        by_first, by_second = await standing(http, scene, first, "c"), await standing(http, scene, second, "c")
        alone, other = await standing(http, scene, first), await standing(http, scene, bob, "c")
        await revoke(scene, 2, token="t1")
        for stream in (by_first, alone):
            await stream.ended()
        assert not by_second.end and not other.end, "who shows another token is none the worse"
        answer = await asked(http, url(scene, "/ask"), headers=first | {"X-Chat": "c"})
        assert (answer.status, answer.json["error"]["code"]) == (401, "revoked")
        assert "invalid_token" in answer.headers["www-authenticate"]
        await revoke(scene, 2, principal=ANN, seconds=300)  # the stream alone has a session too
        await by_second.ended()
        assert (await asked(http, url(scene, "/ask"), headers=second)).status == 401
        (row,) = await scene.edge.sessions()
        await revoke(scene, 1, session=row["session"])
        await other.ended()
        answer = await asked(http, url(scene, "/ask"), headers=bob | {"X-Chat": "c"})
        assert (answer.status, answer.json["error"]["code"]) == (403, "revoked"), "its key does not begin it again"
        assert (await asked(http, url(scene, "/ask"), headers=bob)).status == 200
        scene.edge.kill()
        scene.edge.start()
        await scene.edge.ready()
        await scene.edge.sees(scene.nodes["a"])
        assert (await asked(http, url(scene, "/ask"), headers=second)).status == 401, "a restart forgets nothing"
        (_, listed) = await scene.edge.get("/api/v1/revocations")
        assert [row["kind"] for row in listed["revocations"]] == ["token", "principal", "session"]
        assert await scene.edge.metric("sbc_revocations") == 3
        path = "/api/v1/revocations/principal/" + ANN.replace(":", "%3A").replace("/", "%2F").replace("#", "%23")
        assert (await scene.edge.get(path, "DELETE"))[0] == 200
        assert (await scene.edge.get(path, "DELETE"))[0] == 404
        assert (await asked(http, url(scene, "/ask"), headers=second)).status == 200


async def test_websockets_are_closed(scene: Scene) -> None:
    scene.plain("a")
    issuer = Issuer()
    await scene.open(guarded(scene, issuer, protocol="opaque"))
    first, second, bob, parked = [await scene.client(**token_of(issuer, name, jti)) for name, jti in (
        ("ann", "t1"), ("ann", "t2"), ("bob", "t3"), ("ann", "t4"))]
    for client in (first, second, bob, parked):
        await served(client)
    await parked.drop()
    await revoke(scene, 1, token="t1")
    assert (await first.ended()) == (1008, "revoked")
    await served(second)
    await revoke(scene, 2, principal=ANN)
    assert (await second.ended()) == (1008, "revoked")
    for client in (second, parked):
        await refused(client, 401, token=client.token)
    (row,) = await scene.edge.sessions()
    await revoke(scene, 1, session=row["session"])
    assert (await bob.ended()) == (1008, "revoked")
    await refused(bob, 403, token=bob.token)
    await bob.open()
    await served(bob)
    for order in ({}, {"principal": ""}, {"token": "x", "session": "y"}, {"token": "x", "seconds": 0}, {"node": "a"}):
        assert (await scene.edge.post("/api/v1/revocations", order))[0] == 400, order
    assert await scene.edge.metric("sbc_abuse_total", kind="revoked") == 4


async def test_a_reload_ends_what_would_not_be_let_in_any_more(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    scene.plain("b")
    issuer = Issuer()
    changes = guarded(scene, issuer)
    changes["policies"]["open"] = {}
    changes["agents"]["talker"] = {"pool": "talkers"}
    changes["pools"] = {name: {"nodes": [{"name": node, "url": f"http://127.0.0.1:{scene.nodes[node].port}"}]}
                        for name, node in (("tutors", "a"), ("talkers", "b"))}
    changes["routes"] += [{"match": {"path": path}, "agent": "talker", "policy": policy}
                          for path, policy in (("/talk", "default"), ("/open", "open"))]
    await scene.open(changes)
    by_key, by_token = {"X-Api-Key": "s3cret"}, bearer(issuer, "ann")
    async with asking("127.0.0.1") as http, asking("127.0.0.2") as far:
        async def reload(change: Any) -> None:
            tree = yaml.safe_load(scene.edge.file.read_text())
            change(tree["policies"])
            scene.edge.write(yaml.safe_dump(tree))
            assert (await scene.edge.post("/api/v1/reload"))[0] == 200

        streams = [await standing(http, scene, by_key), await standing(http, scene, by_token, "c"),
                   await standing(far, scene, by_token, "d")]
        talkers = [await scene.client("talk", address=address, **shown) for address, shown in (
            ("127.0.0.1", by_key), ("127.0.0.1", by_token), ("127.0.0.2", by_token))]
        talkers.append(await scene.client("open"))
        for talker in talkers:
            await served(talker)
        other = hashlib.sha256(b"another").hexdigest()
        await reload(lambda policies: policies["default"]["auth"]["api_keys"]["keys"][0].update(sha256=other))
        await streams[0].ended()
        assert (await talkers[0].ended()) == (1008, "revoked")
        for talker in talkers[1:]:
            await served(talker)
        await reload(lambda policies: policies["default"].update(access={"deny": ["127.0.0.2"]}))
        await streams[2].ended()
        assert (await talkers[2].ended()) == (1008, "forbidden")
        await served(talkers[3])
        await reload(lambda policies: policies["open"].update(auth={"certificate": True}))
        assert (await talkers[3].ended()) == (1008, "revoked")
        await served(talkers[1])
        assert not streams[1].end, "nobody else is dropped"
        new = Issuer("k2")
        new.write(scene.directory / "jwks.json")
        await streams[1].ended()
        assert (await talkers[1].ended()) == (1008, "revoked")
