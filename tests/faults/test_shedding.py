"""An edge under pressure: over every transport the same answer, and who is with it stays with it."""

from typing import Any

import yaml

from tests.support.asking import asking
from tests.support.h2_client import H2Client
from tests.support.h3_client import H3Client
from tests.support.quic import secure, trusted
from tests.support.raw import RawClient, upgrade
from tests.support.scene import Scene
from tests.support.wait import wait_until
from tests.wire.tls import client_context

NO_MEMORY = "64MiB"
"""The process alone has more."""


async def change(scene: Scene, tree: dict[str, Any], **admission: Any) -> None:
    scene.edge.write(yaml.safe_dump(tree | {"admission": admission}))
    status, _ = await scene.edge.get("/api/v1/reload", "POST")
    assert status == 200


async def answers(scene: Scene) -> dict[str, tuple[int, str | None, str | None]]:
    """What a new session is answered over each transport: the status, `Session-Outcome`, and whether it is told when to
    come back."""
    got: dict[str, tuple[int, str | None, str | None]] = {}

    def note(name: str, status: int, headers: dict[str, str]) -> None:
        got[name] = status, headers.get("session-outcome"), headers.get("retry-after") and "later"
    tls = client_context()
    raw = await RawClient.connect(scene.edge.port, tls=tls)
    await raw.send(upgrade("/"))
    head = await raw.head()
    assert head is not None
    note("websocket", head.status, head.headers)
    async with asking() as http, http.get(f"https://127.0.0.1:{scene.edge.port}/ask", ssl=False) as answer:
        note("http1", answer.status, {name.lower(): value for name, value in answer.headers.items()})
    h3 = await H3Client.connect(scene.edge.port, "aioquic", trust=trusted(), webtransport=True)
    tls.set_alpn_protocols(["h2"])
    h2 = await H2Client.connect(scene.edge.port, tls=tls)
    got_h2 = await h2.answer(await h2.ask(b"/ask"))
    note("http2", got_h2.status, {key.decode(): value.decode() for key, value in got_h2.fields.items()})
    h2.drop()
    for name, stream in (("http3", h3.ask(b"/ask")), ("webtransport", h3.tunnel(b"/", b"webtransport")),
                         ("websocket over http3", h3.tunnel(b"/", b"websocket"))):
        told = await h3.answer(stream)
        note(name, told.status, {key.decode(): value.decode() for key, value in told.fields.items()})
    raw.abort()
    return got


async def test_under_the_highest_pressure_nobody_new_comes_by_any_transport(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(secure(scene, {"admission": {"memory": NO_MEMORY}}))
    async def measured() -> bool:
        return await scene.edge.metric("sbc_pressure", source="memory") >= 1
    await wait_until(measured, "memory presses")
    got = await answers(scene)
    assert len(got) == 6 and set(got.values()) == {(503, "not-sent", "later")}
    assert await scene.edge.metric("sbc_shed_total", **{"class": "interactive", "reason": "memory"}) == 6
    assert scene.edge.log().count("shedding_began") == 1


async def test_who_is_there_stays_and_whoever_costs_least_to_lose_is_let_go(scene: Scene) -> None:
    scene.plain("a")
    values = {name: {"pool": "tutors", "value": name, "migration": {"hold": "60s"}} for name in ("flat", "rising")}
    await scene.open({"agents": values | {"tutor": None},
                      "routes": [{"match": {"path": f"/{name}"}, "agent": name} for name in values]})
    stays = [await scene.client(path) for path in ("flat", "rising")]
    away = [await scene.client(path) for path in ("flat", "flat", "rising")]
    for client in away:
        await client.drop()

    async def parked() -> bool:
        return len(await scene.edge.sessions("?state=parked")) == 3
    await wait_until(parked, "three are away")
    tree = yaml.safe_load(scene.edge.file.read_text())
    await change(scene, tree, memory=NO_MEMORY)

    async def let_go() -> bool:
        return await scene.edge.metric("sbc_let_go_total") == 2
    await wait_until(let_go, "those of flat value that are away are let go")
    for client in stays:
        await client.say()
        await client.answered()
    assert [row["agent"] for row in await scene.edge.sessions("?state=parked")] == ["rising"]
    assert scene.edge.log().count('"result":"shed"') == 2
    await away[2].reattach()  # whoever comes back is let in, whatever presses
    await away[2].say()
    await away[2].answered()
    refused = await RawClient.connect(scene.edge.port)
    await refused.send(upgrade("/rising"))
    answer = await refused.head()
    assert answer is not None and answer.status == 503
    await change(scene, tree)

    async def calm() -> bool:
        return await scene.edge.metric("sbc_pressure", source="memory") < 0.5
    await wait_until(calm, "there is memory again")
    await scene.client("rising")
    refused.abort()
