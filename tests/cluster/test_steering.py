"""Clients that change their network in the middle, at an edge of several workers: real addresses.

The edge speaks by qh3, which gives ids that do not name their worker.
"""

from pathlib import Path

from tests.support.asking import web
from tests.support.quic import ca_file, secure
from tests.support.roaming import EDGE, Roaming, roaming
from tests.support.scene import Scene
from tests.support.wait import wait_until

__all__ = ["roaming"]

WORKERS = 3
CLIENTS = 4
"""Too many for all of them to come to the right worker by chance."""
AFTER = 15
"""How many messages each has when they leave their network."""


async def test_each_keeps_its_connection_and_its_dialog(roaming: Roaming, scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(secure(scene, web(scene), engine="qh3", address=EDGE) | {"edge": {"workers": WORKERS}})
    heard = [scene.directory / f"heard-{number}" for number in range(CLIENTS)]
    log = scene.directory / "roamers.log"
    clients = [
        roaming.start("tests.support.roamer", "--url", f"https://{EDGE}:{scene.edge.port}/", "--ca", ca_file(scene),
                      "--out", str(file), "--mode", "events", "--library", "aioquic", log=log)
        for file in heard
    ]  # fmt: skip

    def lines(file: Path) -> int:
        assert all(client.poll() in (None, 0) for client in clients), log.read_text()
        return len(file.read_text().splitlines()) if file.exists() else 0
    await wait_until(lambda: all(lines(file) > AFTER for file in heard), "some messages", 30)
    await roaming.go_away()
    await wait_until(lambda: all(client.poll() is not None for client in clients), "the end", 30)
    assert all(client.returncode == 0 for client in clients), log.read_text()
    assert [file.read_text().splitlines()[-1] for file in heard] == ["whole"] * CLIENTS
    assert await scene.edge.metric("sbc_quic_moves_total") >= CLIENTS
