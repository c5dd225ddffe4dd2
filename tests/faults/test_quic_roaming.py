"""A client that changes its network in the middle keeps its connection and its dialog: real addresses, both engines."""

from pathlib import Path

import pytest

from tests.support.asking import web
from tests.support.quic import ENGINES, ca_file, secure
from tests.support.roaming import EDGE, Roaming, roaming
from tests.support.scene import Scene
from tests.support.wait import wait_until

__all__ = ["roaming"]

AFTER = 15
"""How many messages the client has when it leaves its network."""


async def roam(scene: Scene, network: Roaming, *arguments: str) -> None:
    """A client that leaves its network in the middle, soon comes back to it, and hears everything."""
    heard: Path = scene.directory / "heard"
    log = scene.directory / "roamer.log"
    client = network.start("tests.support.roamer", "--url", f"https://{EDGE}:{scene.edge.port}/", "--ca",
                           ca_file(scene), "--out", str(heard), *arguments, log=log)

    def lines() -> list[str]:
        assert client.poll() in (None, 0), log.read_text()
        return heard.read_text().splitlines() if heard.exists() else []
    await wait_until(lambda: len(lines()) > AFTER, "some messages")
    for change in (network.go_away, network.go_home):
        await change()
        before = len(lines())
        await wait_until(lambda before=before: len(lines()) > before + 10, "it goes on")
    await wait_until(lambda: client.poll() is not None, "the end")
    assert client.returncode == 0, log.read_text()
    assert lines()[-1] == "whole"
    assert await scene.edge.metric("sbc_admissions_total", outcome="reattached") == 0


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_websocket(roaming: Roaming, scene: Scene, engine: str) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(secure(scene, engine=engine, address=EDGE))
    await roam(scene, roaming, "--mode", "websocket")


@pytest.mark.parametrize(("engine", "library"), [("qh3", "aioquic"), ("aioquic", "qh3")])
async def test_an_event_stream(roaming: Roaming, scene: Scene, engine: str, library: str) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(secure(scene, web(scene), engine=engine, address=EDGE))
    await roam(scene, roaming, "--mode", "events", "--library", library)
    assert len(node.history("heard")) == 1, "the node was asked once"
