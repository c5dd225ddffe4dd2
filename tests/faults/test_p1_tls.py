"""P1 to P4 over TLS from end to end: what holds for ws:// holds for wss://, and a record cut in two changes nothing."""

import ssl
from pathlib import Path

import pytest

from tests.support.clients import Talker
from tests.support.oracle import exactly_once
from tests.support.scene import Scene
from tests.wire.tls import AUTHORITY, client_context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_sessions_over_tls_outlive_their_owner(scene: Scene, tmp_path: Path, version: ssl.TLSVersion) -> None:
    issued = AUTHORITY.issue_cert("127.0.0.1")
    cert, key = tmp_path / "edge.crt", tmp_path / "edge.key"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    scene.trunk("a", "b", checkpoint="message")
    await scene.open({"listeners": [{
        "name": "secure", "listen": f"127.0.0.1:{scene.edge.port}", "transports": ["websocket"],
        "tls": {"certificates": [{"cert": str(cert), "key": str(key)}], "min_version": "1.2"}}]})
    clients: list[Talker] = []
    for _ in range(6):
        client = Talker(f"wss://127.0.0.1:{scene.edge.port}/")
        client.trusts = client_context(version)
        scene.clients.append(client)
        clients.append(client)
        await client.open()
        await client.say(30, every=0.01, pad=20_000, ballast=20_000)  # more than one TLS record each
        await client.has(3)
    scene.owner(clients[0]).kill()
    for client in clients:
        await client.say(3, pad=1000)
    for client in clients:
        await client.answered()
        assert client.open_still
        exactly_once(client)
    assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="moved") >= 1
    away = clients[0]
    await away.say(40, every=0.01, pad=20_000)
    await away.has(40)
    await away.drop()
    await away.reattach()
    assert "session-gap" not in away.answer_headers
    await away.answered()
    exactly_once(away)
    assert "Traceback" not in scene.edge.log()
