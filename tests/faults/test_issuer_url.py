"""An issuer whose keys are at a URL: an edge that starts without it, an outage, a reload."""

import yaml
from aiohttp import web

from tests.faults.test_identity import asked, bearer, guarded
from tests.runtime.test_keysources import Published
from tests.runtime.test_tls_both_sides import serving
from tests.support.asking import asking, url
from tests.support.issuer import Issuer
from tests.support.scene import Scene
from tests.support.wait import wait_until
from tests.wire.tls import AUTHORITY, server_context


async def test_keys_come_from_a_url(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    issuer, site, app = Issuer(), Published(), web.Application()
    app.router.add_get("/keys", site.serve)
    ca = scene.directory / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(ca)
    async with serving(app, server_context("localhost")) as port, asking() as http:
        async def answer(by: Issuer) -> tuple[int, str]:
            got = await asked(http, url(scene, "/ask"), headers=bearer(by, "ann"))
            return got.status, got.json.get("error", {}).get("code", "")

        changes = guarded(scene, issuer, protocol="opaque")
        where = {"jwks": f"https://localhost:{port}/keys", "jwks_ca": str(ca), "tenant": "org"}
        changes["policies"]["default"]["auth"]["jwt"] |= where
        site.answer = 503
        scene.edge.configure(list(scene.nodes.values()), changes)
        scene.edge.start()
        await wait_until(lambda: site.asked > 0, "the keys are asked for")
        status, body = await scene.edge.get("/readyz")
        assert (status, body["error"]["message"]) == (503, "the keys of an issuer were not fetched yet")
        assert await scene.edge.metric("sbc_jwks_age_seconds") == float("inf")
        await scene.edge.sees(scene.nodes["a"])
        assert await answer(issuer) == (503, "no_keys")
        assert (await asked(http, url(scene, "/ask"), headers={"X-Api-Key": "s3cret"})).status == 200
        site.answer = issuer.jwks()
        await scene.edge.ready()
        assert await answer(issuer) == (200, "")
        assert await answer(Issuer()) == (401, "bad_token"), "of this name, but not of this key"
        assert await answer(Issuer("k2")) == (401, "bad_token"), "there was no such key a moment ago"
        times, tree = site.asked, yaml.safe_load(scene.edge.file.read_text())
        assert (await scene.edge.post("/api/v1/reload"))[0] == 200
        assert site.asked == times, "what was fetched stays"
        tree["policies"]["default"]["auth"]["jwt"]["jwks"] = f"https://localhost:{port}/none"
        scene.edge.write(yaml.safe_dump(tree))
        status, body = await scene.edge.post("/api/v1/reload")
        assert status == 422 and "/none: answered with status 404" in str(body)
        assert await answer(issuer) == (200, ""), "a bad configuration changes nothing"
        assert await scene.edge.metric("sbc_jwks_age_seconds") < 60
