"""Who clients are proven to be, over real sockets: requests, streams, WebSockets; expiry, rotation."""

import hashlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
import yaml

from tests.runtime.test_tls_both_sides import written
from tests.support.asking import Stream, asking, url, web
from tests.support.clients import InvalidStatus, Talker
from tests.support.issuer import AUDIENCE, ISSUER, Issuer
from tests.support.scene import Scene
from tests.support.wait import wait_until
from tests.wire.tls import AUTHORITY, client_context

SOON = 6.0
"""After how many seconds a token expires that is used before: long enough for that on a machine with much to do."""


def guarded(scene: Scene, issuer: Issuer, *, leeway: str = "0s", **more: Any) -> dict[str, Any]:
    """Changes to the configuration: a token of this issuer, or an API key, is asked for."""
    jwt = {"jwks": issuer.write(scene.directory / "jwks.json"), "issuer": ISSUER, "audience": AUDIENCE,
           "leeway": leeway}
    keys = {"header": "X-Api-Key", "keys": [{"name": "acme", "sha256": hashlib.sha256(b"s3cret").hexdigest()}]}
    changes = web(scene, **more)
    changes["policies"]["default"]["auth"] = {"jwt": jwt, "api_keys": keys}
    return changes


def bearer(issuer: Issuer, name: str, lasts: float = 300.0, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token(name, lasts)}", **more}


async def asked(http: aiohttp.ClientSession, address: str, **how: Any) -> Stream:
    stream = Stream.opened(http, how.pop("method", "GET"), address, **how)
    await stream.ended()
    return stream


async def test_requests(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    issuer, stranger = Issuer(), Issuer()
    await scene.open(guarded(scene, issuer, protocol="opaque"))
    address = url(scene, "/ask")
    async with asking() as http:
        for headers in ({}, bearer(stranger, "ann"), bearer(issuer, "ann", -1), {"X-Api-Key": "x"}):
            answer = await asked(http, address, headers=headers)
            assert answer.status == 401 and "www-authenticate" in answer.headers, headers
        assert (await scene.edge.sessions()) == []
        first = (await asked(http, address, headers=bearer(issuer, "ann", **{"X-Chat": "c"}))).json
        again = (await asked(http, address, headers=bearer(issuer, "ann", 200, **{"X-Chat": "c"}))).json
        assert (again["node"], again["told"]["session-message"]) == (first["node"], "2"), "another token of the same"
        assert again["told"]["session-id"] == first["told"]["session-id"]
        assert first["told"]["session-principal"] == "jwt:https://idp.example#ann"
        other = (await asked(http, address, headers=bearer(issuer, "bob", **{"X-Chat": "c"}))).json
        assert other["told"]["session-id"] != first["told"]["session-id"], "another's key is another session"
        shown = await asked(http, address, headers={"X-Api-Key": "s3cret", "Session-Principal": "root"})
        assert shown.json["told"]["session-principal"] == "key:default/acme"
        assert "x-api-key" not in shown.json["told"], "a secret of the edge's is no node's business"
        query = await asked(http, f"{address}?access_token={issuer.token('ann')}&n=1")
        assert (query.status, query.json["target"]) == (200, "/ask?n=1")
        preflight = {"Access-Control-Request-Method": "GET", "X-Api-Key": "s3cret"}
        allowed = await asked(http, address, method="OPTIONS", headers=preflight)
        assert allowed.status != 401, "a browser's question bears no credentials"
    told = [fact["told"] for fact in scene.nodes["a"].history("heard") + scene.nodes["b"].history("heard")]
    assert not any("x-api-key" in fields for fields in told)


async def test_a_token_of_a_session_opens_nobody_elses(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    issuer = Issuer()
    await scene.open(guarded(scene, issuer, protocol="opaque"))
    async with asking() as http:
        mine = await asked(http, url(scene, "/ask"), headers=bearer(issuer, "ann", **{"X-Chat": "c"}))
        token = mine.headers["session-id"]
        for name, status in (("ann", 200), ("bob", 403)):
            answer = await asked(http, url(scene, "/ask"), headers=bearer(issuer, name, **{"Session-Id": token}))
            assert answer.status == status
        assert (await asked(http, url(scene, "/ask"), headers={"Session-Id": token})).status == 401


async def test_a_stream_ends_with_its_token_and_its_session_goes_on(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    issuer = Issuer()
    await scene.open(guarded(scene, issuer))
    async with asking() as http:
        where = url(scene, "/events?count=2000&every=0.05")
        alone = Stream.opened(http, "GET", where, headers=bearer(issuer, "ann", SOON))
        short = Stream.opened(http, "GET", where, headers=bearer(issuer, "ann", SOON, **{"X-Chat": "short"}))
        long = Stream.opened(http, "GET", where, headers=bearer(issuer, "ann", SOON, **{"X-Chat": "long"}))
        for stream in (alone, short, long):
            await stream.has(1)
        fresh = bearer(issuer, "ann", **{"X-Chat": "long"})
        assert (await asked(http, url(scene, "/ask"), headers=fresh)).status == 200
        for stream in (alone, short):
            await stream.ended()
        assert not long.end, "its session was shown a fresh token"
        count = len(long.events)
        await long.has(count + 20)
        after = await asked(http, url(scene, "/ask"), headers=bearer(issuer, "ann", **{"X-Chat": "short"}))
        assert after.json["told"]["session-message"] == "2", "the session is still there"
        await long.leave()
    assert await scene.edge.metric("sbc_abuse_total", kind="expired") == 2


async def test_websockets(scene: Scene) -> None:
    scene.plain("a")
    issuer = Issuer()
    await scene.open(guarded(scene, issuer, protocol="opaque"))
    for headers in ({}, bearer(issuer, "ann", -1)):
        with pytest.raises(InvalidStatus) as refused:
            await scene.client(**headers)
        assert refused.value.response.status_code == 401
        assert "Bearer" in refused.value.response.headers.get_all("WWW-Authenticate")[0]
    short = await scene.client(**bearer(issuer, "ann", SOON))
    kept = await scene.client(**bearer(issuer, "ann", SOON))
    renewed = await scene.client(**bearer(issuer, "ann", SOON))
    keyed = await scene.client(X_Api_Key="s3cret")
    assert 0 < int(renewed.answer_headers["session-expires"]) <= SOON
    assert "session-expires" not in keyed.answer_headers, "it does not"
    for client in (short, kept, renewed, keyed):
        await client.say()
        await client.answered()
    opened = [fact["headers"] for fact in scene.nodes["a"].history("open")]
    assert {told["session-principal"] for told in opened} == {"jwt:https://idp.example#ann", "key:default/acme"}
    assert not any("x-api-key" in told for told in opened)
    await shows_anew(scene, renewed, issuer)
    kept.headers = bearer(issuer, "bob")
    await kept.drop()
    with pytest.raises(InvalidStatus) as refused:
        await kept.reattach()
    assert refused.value.response.status_code == 403, "one principal's token never opens another's session"
    kept.headers = bearer(issuer, "ann")
    await kept.reattach()
    assert (await short.ended()) == (1008, "expired")
    for client in (kept, renewed, keyed):
        await client.say()
        await client.answered()


async def shows_anew(scene: Scene, client: Talker, issuer: Issuer) -> None:
    """Beside its connection; nobody else can, and nothing else is a request of such a session."""
    session = {"Session-Id": client.token or ""}
    async with asking() as http:
        async def status(method: str, shown: dict[str, str], **how: Any) -> int:
            return (await asked(http, url(scene, "/"), method=method, headers=session | shown, **how)).status
        assert await status("POST", bearer(issuer, "bob")) == 403
        assert await status("POST", bearer(issuer, "ann", -1)) == await status("POST", {}) == 401
        fresh = bearer(issuer, "ann")
        assert await status("GET", fresh) == await status("POST", fresh, data=b"x") == 409
        for lasts in (300.0, SOON):
            answer = await asked(http, url(scene, "/"), method="POST", headers=session | bearer(issuer, "ann", lasts))
            assert (answer.status, answer.body) == (204, b"")
            assert 290 <= int(answer.headers["session-expires"]) <= 300, "what holds longest holds"


async def test_a_certificate_names_its_client(scene: Scene, tmp_path: Path) -> None:
    scene.plain("a", module="node_http")
    clients = trustme.CA()
    clients.cert_pem.write_to_path(tmp_path / "clients.pem")
    tls = {"certificates": [written(tmp_path, "edge", AUTHORITY, "localhost")], "client_ca": f"{tmp_path}/clients.pem",
           "client_certificate": "optional"}
    changes = web(scene, protocol="opaque")
    changes["listeners"][0] |= {"tls": tls, "transports": ["http1", "http2"]}
    changes["policies"]["default"]["auth"] = {"certificate": True}
    await scene.open(changes)
    address = f"https://localhost:{scene.edge.port}/ask"
    for name in ("robot.test", ""):
        context = client_context()
        if name:
            clients.issue_cert(name).configure_cert(context)
        async with aiohttp.ClientSession() as http:
            answer = await asked(http, address, ssl=context)
            assert answer.status == (200 if name else 401)
            if name:
                assert answer.json["told"]["session-principal"] == f"certificate:dns:{name}"


async def test_keys_of_the_issuer_rotate_while_the_edge_runs(scene: Scene, tmp_path: Path) -> None:
    scene.plain("a", module="node_http")
    issuer, new = Issuer(), Issuer("k2")
    await scene.open(guarded(scene, issuer, protocol="opaque"))
    async with asking() as http:
        async def status(by: Issuer) -> int:
            return (await asked(http, url(scene, "/ask"), headers=bearer(by, "ann"))).status
        assert (await status(issuer), await status(new)) == (200, 401)
        new.write(scene.directory / "jwks.json")

        async def taken() -> bool:
            return await status(new) == 200
        await wait_until(taken, "the new key is taken")
        assert await status(issuer) == 401
        tree = yaml.safe_load(scene.edge.file.read_text())
        tree["policies"]["default"]["auth"]["jwt"]["jwks"] = f"file:{tmp_path}/none.json"
        scene.edge.write(yaml.safe_dump(tree))
        assert (await scene.edge.post("/api/v1/reload"))[0] == 422
        assert await status(new) == 200, "a bad configuration changes nothing"


async def test_a_tenant_has_a_cap_over_all_its_clients(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    issuer = Issuer()
    changes = guarded(scene, issuer, limits={"sessions_per_tenant": 2})
    changes["policies"]["default"]["auth"]["jwt"]["tenant"] = "org"
    await scene.open(changes)

    def of(name: str, org: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {issuer.token(name, org=org)}", "X-Chat": "c"}
    async with asking() as http:
        for name in ("ann", "bob", "ann"):
            assert (await asked(http, url(scene, "/ask"), headers=of(name, "acme"))).status == 200
        third = await asked(http, url(scene, "/ask"), headers=of("cat", "acme"))
        assert third.status == 429 and int(third.headers["retry-after"]) >= 1
        for headers in (of("cat", "other"), {"X-Api-Key": "s3cret", "X-Chat": "c"}):
            assert (await asked(http, url(scene, "/ask"), headers=headers)).status == 200
        rows = await scene.edge.sessions()
        await scene.edge.get(f"/api/v1/sessions/{rows[0]['session']}", "DELETE")
        codes = [(await asked(http, url(scene, "/ask"), headers=of(name, "acme"))).status for name in ("dan", "eve")]
    assert sorted(codes) in ([200, 429], [429, 429])
    assert await scene.edge.metric("sbc_refused_total", code="sessions_per_tenant") >= 2
