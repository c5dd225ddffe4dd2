"""An edge that asks its clients for certificates and shows its nodes one of its own; all of it replaced by a reload."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
import yaml
from aiohttp import web

from tests.support.edge import free_port
from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until
from tests.wire.tls import AUTHORITY, client_context

NODES, EDGES = trustme.CA(), trustme.CA()


def written(directory: Path, name: str, authority: trustme.CA, *names: str) -> dict[str, str]:
    """A certificate and its key."""
    leaf, cert, key = authority.issue_cert(*names), directory / f"{name}.crt", directory / f"{name}.key"
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return {"cert": str(cert), "key": str(key)}


async def shown(request: web.Request) -> web.Response:
    """What the edge has shown."""
    assert request.transport is not None
    certificate = request.transport.get_extra_info("ssl_object").getpeercert()
    return web.Response(text=certificate["subjectAltName"][0][1])


@pytest.fixture
async def node() -> AsyncIterator[str]:
    """The URL of a node that wants a certificate of the edge; its own is for agents.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    NODES.issue_cert("agents.test").configure_cert(context)
    EDGES.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.router.add_get("/{path:.*}", shown)
    async with serving(app, context) as port:
        yield f"https://127.0.0.1:{port}"


@asynccontextmanager
async def serving(app: web.Application, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """An application on a port of its own."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port(), ssl_context=context).start()
    yield port
    await runner.cleanup()


async def asked(scene: Scene, clients: trustme.CA | None) -> str:
    """The answer to a client with a certificate of these clients; empty: there is none."""
    context = client_context()
    if clients is not None:
        clients.issue_cert("robot.test").configure_cert(context)
    try:
        url = f"https://localhost:{scene.edge.port}/"
        async with aiohttp.ClientSession() as http, http.get(url, ssl=context) as it:
            return await it.text() if it.status == 200 else ""
    except aiohttp.ClientError:
        return ""


async def answered(scene: Scene, clients: trustme.CA, text: str) -> None:
    """A client of these clients is told this, sooner or later."""
    async def is_so() -> bool:
        return await asked(scene, clients) == text
    await wait_until(is_so, f"the answer {text}")


async def told(request: web.Request) -> web.Response:
    """For whom the edge has asked."""
    return web.Response(text=request.headers.get("Session-Principal", "nobody"))


async def refused(scene: Scene, url: str) -> dict[str, Any]:
    """What a node of this URL is told that registers."""
    async with aiohttp.ClientSession() as http, http.ws_connect(scene.edge.trunk_url, protocols=["sbc-trunk.v1"]) as ws:
        await ws.send_json({"type": "register", "node": "late", "pool": "tutors", "url": url})
        return dict(await ws.receive_json(timeout=PATIENCE))


async def test_certificates_both_ways(scene: Scene, node: str, tmp_path: Path) -> None:
    clients, others = trustme.CA(), trustme.CA()
    clients.cert_pem.write_to_path(client_ca := tmp_path / "clients.pem")
    NODES.cert_pem.write_to_path(node_ca := tmp_path / "nodes.pem")
    tls = {"certificates": [written(tmp_path, "edge", AUTHORITY, "localhost")], "client_ca": str(client_ca)}
    ours = written(tmp_path, "ours", EDGES, "edge.test")
    await scene.open({
        "listeners": [{"name": "s", "listen": f"127.0.0.1:{scene.edge.port}", "transports": ["http1"], "tls": tls}],
        "pools": {"tutors": {"nodes": [{"name": "a", "url": node}],
                             "tls": {"ca": str(node_ca), "server_name": "agents.test", **ours}}},
    })  # fmt: skip

    await answered(scene, clients, "edge.test")
    assert await asked(scene, others) == await asked(scene, None) == ""
    others.cert_pem.write_to_path(client_ca)
    written(tmp_path, "ours", EDGES, "renewed.test")
    assert (await scene.edge.post("/api/v1/reload"))[0] == 200
    await answered(scene, others, "renewed.test")
    assert await asked(scene, clients) == ""
    told = await refused(scene, "http://127.0.0.1:1")
    assert told["type"] == "error" and "have to speak TLS" in told["message"]
    (secret := tmp_path / "secret").write_text("s3cret")
    tree = yaml.safe_load(scene.edge.file.read_text())
    tree["trunk"]["secret_file"] = str(secret)
    scene.edge.write(yaml.safe_dump(tree))
    assert (await scene.edge.post("/api/v1/reload"))[0] == 200
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await refused(scene, node)
    assert "Traceback" not in scene.edge.log()


async def test_who_shows_a_certificate_is_its_holder(scene: Scene, tmp_path: Path) -> None:
    clients = trustme.CA()
    clients.cert_pem.write_to_path(ca := tmp_path / "clients.pem")
    tls = {"certificates": [written(tmp_path, "edge", AUTHORITY, "localhost")], "client_ca": str(ca),
           "client_certificate": "optional"}
    app = web.Application()
    app.router.add_get("/{path:.*}", told)
    async with serving(app) as port:
        await scene.open({
            "listeners": [{"name": "s", "listen": f"127.0.0.1:{scene.edge.port}", "transports": ["http1"], "tls": tls}],
            "pools": {"tutors": {"nodes": [{"name": "a", "url": f"http://127.0.0.1:{port}"}]}},
            "policies": {"default": {"auth": {"certificate": True}}},
        })  # fmt: skip
        await answered(scene, clients, "certificate:dns:robot.test")
        url, context = f"https://localhost:{scene.edge.port}/", client_context()
        async with aiohttp.ClientSession() as http, http.get(url, ssl=context) as it:
            assert it.status == 401
