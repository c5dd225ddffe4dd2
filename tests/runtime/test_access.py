"""Who may ask, against a running edge: refused before a node hears of it, and changed by a reload."""

import hashlib
from typing import Any

import pytest
import yaml

from tests.cli.command import sbc
from tests.support.raw import Answer, RawClient, upgrade
from tests.support.scene import Scene

LISTENER = {"transports": ["websocket", "http1", "http2"]}


def route(path: str, policy: str, **match: str) -> dict[str, Any]:
    return {"match": {"path": path, **match}, "agent": "tutor", "protocol": "opaque", "policy": policy}


async def opened(scene: Scene, policies: dict[str, Any]) -> None:
    scene.plain("a")
    await scene.open({
        "listeners": [{"name": "plain", "listen": f"127.0.0.1:{scene.edge.port}", **LISTENER}],
        "policies": {name: {"access": access} for name, access in policies.items()},
        "routes": [route(f"/{name}", name, host="edge.test") for name in policies],
    })


async def asked(scene: Scene, head: bytes, address: str = "127.0.0.1") -> Answer:
    client = await RawClient.connect(scene.edge.port, address)
    await client.send(head)
    answer = await client.head()
    client.abort()
    assert answer is not None
    return answer


def request(path: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: edge.test", *lines, "", ""]).encode()


async def test_the_rules_hold_for_requests_and_websockets(scene: Scene) -> None:
    await opened(scene, {"near": {"allow": ["127.0.0.2"]}, "far": {"deny": ["127.0.0.3"]},
                         "reads": {"methods": ["GET"]}, "pages": {"origins": ["https://app.example"]}})
    for head in (request, upgrade):
        for path, address, lines, refused in (
            ("/near", "127.0.0.1", (), True), ("/near", "127.0.0.2", (), False),
            ("/far", "127.0.0.3", (), True), ("/far", "127.0.0.1", (), False),
            ("/pages", "127.0.0.1", ("Origin: https://evil.example",), True),
            ("/pages", "127.0.0.1", ("Origin: https://app.example",), False), ("/pages", "127.0.0.1", (), False),
        ):
            answer = await asked(scene, head(path, *lines), address)
            assert (answer.status == 403) is refused, (head, path, address, lines, answer)
            assert answer.headers.get("session-outcome") == ("not-sent" if refused else None), answer
        assert (await asked(scene, head("/reads"))).status in (101, 426, 200), head
    answer = await asked(scene, request("/reads", "Content-Length: 0", method="POST"))
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert await scene.edge.metric("sbc_refused_total", code="forbidden_address") == 4
    assert await scene.edge.metric("sbc_refused_total", code="foreign_origin") == 2
    assert await scene.edge.metric("sbc_refused_total", code="method_not_allowed") == 1
    assert (await asked(scene, request("/reads").replace(b"edge.test", b"evil.test"))).status == 404


@pytest.mark.parametrize("head", [request, upgrade])
async def test_a_reload_changes_the_rules(scene: Scene, head: Any) -> None:
    await opened(scene, {"near": {"allow": ["127.0.0.2"]}})
    assert (await asked(scene, head("/near"))).status == 403
    text = scene.edge.file.read_text()
    scene.edge.write(text.replace("127.0.0.2", "127.0.0.1"))
    assert (await scene.edge.post("/api/v1/reload"))[0] == 200
    assert (await asked(scene, head("/near"))).status != 403
    assert (await asked(scene, head("/near"), "127.0.0.2")).status == 403


async def test_a_reload_brings_tokens_to_the_admin_door(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    tree = yaml.safe_load(scene.edge.file.read_text())
    tree["admin"]["tokens"] = [{"name": name, "role": role, "sha256": hashlib.sha256(name.encode()).hexdigest()}
                               for name, role in (("looks", "view"), ("orders", "operate"))]
    scene.edge.write(yaml.safe_dump(tree))
    assert (await scene.edge.post("/api/v1/reload"))[0] == 200
    assert (await scene.edge.get("/api/v1/nodes"))[0] == 401
    assert (await scene.edge.get("/readyz"))[0] == 200
    told = [await sbc("undrain", "a", "--json", "-c", scene.edge.file, SBC_ADMIN_TOKEN=token)
            for token in ("", "looks", "orders")]
    assert [ran.status for ran in told] == [1, 1, 0], told
    assert "may not give orders" in told[1].complaint
    assert "admin_order" in scene.edge.log() and "orders" in scene.edge.log()
