"""Who clients are, over every transport; and that nobody gets into another's session by whatever he knows of it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sbc.sdk.client import Refused, SessionEnded, Ticket, Transport, connect
from tests.support.answer import Answer
from tests.support.everywhere import HTTP, Got, ask
from tests.support.h3_client import H3Client
from tests.support.issuer import AUDIENCE, ISSUER, Issuer
from tests.support.leaky import Leaky, leaking
from tests.support.quic import ca_file, secure, trusted
from tests.support.scene import Scene
from tests.support.wait import wait_until

ANN = "jwt:https://idp.example#ann"
WEBSOCKETS = [Transport.HTTP1, Transport.HTTP2, Transport.HTTP3]


@pytest.fixture
async def node() -> AsyncIterator[Leaky]:
    async with leaking() as serving:
        yield serving


async def opened(scene: Scene, node: Leaky, issuer: Issuer) -> None:
    """An edge with everything, where a token of the issuer's is asked for."""
    jwt = {"jwks": issuer.write(scene.directory / "jwks.json"), "issuer": ISSUER, "audience": AUDIENCE}
    routes = [("/", "opaque", {"header": "X-Chat"}), ("/events", "sse", None), ("/mcp", "mcp", None),
              ("/a2a", "a2a", None), ("/v1", "openai", None), ("/talk", "opaque", None)]
    changes = {
        "pools": {"tutors": {"nodes": [{"name": "n0de-name", "url": f"http://{node.place}", "zone": "n0de-zone"}]}},
        "policies": {"default": {"auth": {"jwt": jwt}},
                     "shut": {"auth": {"jwt": jwt}, "access": {"methods": ["GET"], "origins": ["https://our.test"]}}},
        "routes": [{"match": {"path": path}, "agent": "tutor", "protocol": protocol, "policy": "default"}
                   | ({"session": key} if key else {}) for path, protocol, key in routes]
                  + [{"match": {"path": "/shut"}, "agent": "tutor", "policy": "shut"}]}  # fmt: skip
    scene.edge.configure([], secure(scene, changes))
    scene.edge.start()
    await scene.edge.ready()

    async def up() -> bool:
        return all(row["state"] == "up" for row in (await scene.edge.nodes()).values())
    await wait_until(up, "the node is up")


def told(got: Got) -> dict[str, Any]:
    """What the node was told with the request that this answers."""
    assert got.status == 200, got
    said = json.loads(got.body)
    said = said.get("result", said)
    return dict(said.get("metadata", said)["told"])


def rpc(method: str, **params: Any) -> dict[str, Any]:
    said = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return {"method": "POST", "body": json.dumps(said).encode()}


JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


async def test_requests_over_every_version_of_http(scene: Scene, node: Leaky) -> None:
    issuer = Issuer()
    await opened(scene, node, issuer)
    ann, bob = ({"Authorization": f"Bearer {issuer.token(name)}"} for name in ("ann", "bob"))
    for number, over in enumerate(HTTP):
        for shown in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": f"Bearer {issuer.token('ann', -99)}"}):
            got = await ask(over, scene, "/ask", shown)
            assert got.status == 401 and got.header("www-authenticate").startswith("Bearer"), (over, got)
        first = await ask(over, scene, "/ask", ann | {"X-Chat": f"c{number}"})
        assert told(first)["session-principal"] == ANN and "session-message" in told(first)
        assert (await ask(over, scene, f"/ask?access_token={issuer.token('ann')}")).status == 200
        for shown, status in (({"Origin": "https://other.test"}, 403), ({"Origin": "https://our.test"}, 200)):
            assert (await ask(over, scene, "/shut", ann | shown)).status == status, over
        got = await ask(over, scene, "/shut", ann, method="DELETE")
        assert (got.status, got.header("allow")) == (405, "GET"), over
        await others(scene, over, first, f"c{number}", ann, bob)


async def others(scene: Scene, over: str, first: Got, chat: str, ann: dict[str, str], bob: dict[str, str]) -> None:
    """What bob knows of ann's sessions opens none of them."""
    mine = told(first)["session-id"]
    token = first.header("session-id")
    assert (await ask(over, scene, "/ask", bob | {"Session-Id": token})).status == 403
    assert told(await ask(over, scene, "/ask", ann | {"Session-Id": token}))["session-id"] == mine
    assert told(await ask(over, scene, "/ask", bob | {"X-Chat": chat}))["session-id"] != mine
    assert (await ask(over, scene, "/ask", bob | {"X-Chat": token})).status in (200, 403)

    start = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    began = await ask(over, scene, "/mcp", ann | JSON, **rpc("initialize", **start))
    named = {"Mcp-Session-Id": began.header("mcp-session-id"), "Mcp-Protocol-Version": "2025-06-18"}
    assert began.status == 200 and "n0de" not in named["Mcp-Session-Id"]
    assert (await ask(over, scene, "/mcp", ann | JSON | named, **rpc("tools/list"))).status == 200
    assert (await ask(over, scene, "/mcp", bob | JSON | named, **rpc("tools/list"))).status == 404
    got = await ask(over, scene, "/mcp", bob | JSON | named, method="DELETE")
    assert got.status == 404

    message = {"role": "user", "kind": "message", "messageId": "m", "parts": [{"kind": "text", "text": "x"}]}
    sent = await ask(over, scene, "/a2a", ann | JSON, **rpc("message/send", message=message))
    task = json.loads(sent.body)["result"]["id"]
    hers = told(await ask(over, scene, "/a2a", ann | JSON, **rpc("tasks/get", id=task)))["session-id"]
    again = told(await ask(over, scene, "/a2a", ann | JSON, **rpc("tasks/get", id=task)))["session-id"]
    his = told(await ask(over, scene, "/a2a", bob | JSON, **rpc("tasks/get", id=task)))["session-id"]
    assert hers == again != his

    async def respond(who: dict[str, str], before: str | None) -> Got:
        asked = {"model": "m", "input": "x"} | ({"previous_response_id": before} if before else {})
        return await ask(over, scene, "/v1/responses", who | JSON, method="POST", body=json.dumps(asked).encode())
    identity = json.loads((await respond(ann, None)).body)["id"]
    hers = told(await respond(ann, identity))["session-id"]
    assert told(await respond(ann, identity))["session-id"] == hers != told(await respond(bob, identity))["session-id"]

    events = {"Accept": "text/event-stream"}
    stream = await ask(over, scene, "/events", ann | events)
    last = next(line[4:] for line in stream.body.decode().splitlines() if line.startswith("id: "))
    rest, his_own = [await ask(over, scene, "/events", who | events | {"Last-Event-ID": last}) for who in (ann, bob)]
    assert b'"i": 2' in rest.body and b'"i": 0' not in rest.body, "she gets the rest"
    assert b'"i": 0' in his_own.body, "and he a stream from its beginning"


async def test_connections_of_every_kind(scene: Scene, node: Leaky) -> None:
    issuer = Issuer()
    await opened(scene, node, issuer)
    where, trust = f"https://localhost:{scene.edge.port}/talk", ca_file(scene)

    def shown(name: str, jti: str = "t") -> dict[str, str]:
        return {"Authorization": f"Bearer {issuer.token(name, jti=jti)}"}

    async def webtransport(headers: dict[str, str]) -> tuple[H3Client, Answer]:
        client = await H3Client.connect(scene.edge.port, "aioquic", trust=trusted(), webtransport=True)
        more = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        answer = client.answers[client.tunnel(b"/talk", b"webtransport", more)]
        await client.until(lambda: answer.fields, "an answer")
        return client, answer

    async def refused_by(headers: dict[str, str]) -> int:
        client, answer = await webtransport(headers)
        client.close()
        return answer.status
    assert await refused_by({}) == 401
    for over in WEBSOCKETS:
        for headers in ({}, {"Authorization": "Bearer x"}):
            with pytest.raises(Refused) as refused:
                async with connect(where, headers=headers, transports=[over], ca_file=trust):
                    pass
            assert refused.value.status == 401, over
        async with connect(where, headers=shown("ann"), transports=[over], ca_file=trust) as session:
            await session.send("hello")
            assert json.loads(str(await anext(session)))["told"]["session-principal"] == ANN
            ticket = session.ticket
            with pytest.raises(Refused) as refused:
                async with connect(where, headers=shown("bob"), session=Ticket(ticket.token, 1), transports=[over],
                                   ca_file=trust):  # fmt: skip
                    pass
            assert refused.value.status == 403, over
            assert await refused_by(shown("bob") | {"Session-Id": ticket.token}) == 403
            assert (await scene.edge.post("/api/v1/revocations", {"token": "t", "seconds": 60}))[0] == 201
            with pytest.raises(SessionEnded) as ended:
                await anext(session)
            assert (ended.value.code, ended.value.reason) == (1008, "revoked"), over
        await scene.edge.get("/api/v1/revocations/token/t", "DELETE")
    client, answer = await webtransport(shown("ann", "u"))
    assert answer.status == 200
    assert (await scene.edge.post("/api/v1/revocations", {"principal": ANN}))[1]["ended"] == 1
    await client.until(lambda: answer.over, "the end of the session")
    assert (1008).to_bytes(4) + b"revoked" in answer.body
    client.close()
