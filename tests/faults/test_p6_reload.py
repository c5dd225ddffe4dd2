"""P6: a bad configuration changes nothing; a good one applies whole, and drops no session."""

import asyncio
import os
import signal

import pytest
import yaml

from tests.support.edge import free_port
from tests.support.nodes import NodeProcess
from tests.support.oracle import exactly_once
from tests.support.scene import Scene
from tests.support.wait import wait_until


async def test_a_bad_configuration_changes_nothing_and_says_every_fault(scene: Scene) -> None:
    scene.trunk("a")
    await scene.open()
    client = await scene.client()
    await client.say(100, every=0.01)
    before = (await scene.edge.get("/api/v1/config"))[1]
    good = scene.edge.file.read_text()
    for bad, hints in ((good.replace("pool: tutors", "pool: nobody"), ["nobody"]),
                       (good + "\nunheard_of: 1\n", ["unheard_of"]),
                       (good.replace("hold", "hodl"), ["hodl"]),
                       ("listeners: [", []), ("", [])):
        scene.edge.write(bad)
        status, answer = await scene.edge.post("/api/v1/reload")
        assert status in (400, 409, 422), answer
        assert "sbc.yaml:" in str(answer) and all(hint in str(answer) for hint in hints), answer
        assert await scene.edge.metric("sbc_config_reload_ok") == 0
        assert (await scene.edge.get("/api/v1/config"))[1] == before
        assert (await scene.edge.get("/readyz"))[0] == 200
    late = await scene.client()
    await late.say()
    await late.answered()
    scene.edge.write(good)
    assert (await scene.edge.post("/api/v1/reload"))[0] == 200
    assert await scene.edge.metric("sbc_config_reload_ok") == 1
    await client.answered()
    exactly_once(client)


async def test_a_listener_that_cannot_be_opened_is_a_fault_like_any_other(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    tree = yaml.safe_load(scene.edge.file.read_text())
    port = taken.sockets[0].getsockname()[1]
    free = free_port()
    for name, where in (("first", free), ("second", port)):
        tree["listeners"].append({"name": name, "listen": f"127.0.0.1:{where}", "transports": ["websocket"]})
    tree["policies"]["default"]["limits"]["message"] = "1KiB"
    tree["pools"]["tutors"]["nodes"].append({"name": "new", "url": f"http://127.0.0.1:{free}"})
    scene.edge.write(yaml.safe_dump(tree))
    status, answer = await scene.edge.post("/api/v1/reload")
    assert status >= 400, answer
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", free)
    assert set(await scene.edge.nodes()) == {"a"}
    client = await scene.client()
    await client.say(pad=5000, ballast=5000)
    await client.answered()
    taken.close()


async def test_reloading_under_load_drops_nobody(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open()
    clients = await scene.talking(10)
    for client in clients:
        await client.say(100, every=0.01)
    tree = yaml.safe_load(scene.edge.file.read_text())
    for turn in range(6):
        tree["policies"]["default"]["limits"]["idle"] = f"{10 + turn}m"
        tree["agents"]["tutor"]["migration"]["hold"] = f"{10 + turn}s"
        scene.edge.write(yaml.safe_dump(tree))
        if turn % 2:
            os.kill(scene.edge.pid, signal.SIGHUP)
            wanted = f"{10 + turn}"
            await wait_until(lambda wanted=wanted: _configured(scene, wanted), "SIGHUP is heeded")
        else:
            assert (await scene.edge.post("/api/v1/reload"))[0] == 200
        await (late := await scene.client()).say()
        await late.answered()
    for client in clients:
        await client.answered()
        assert client.open_still
        exactly_once(client)


async def _configured(scene: Scene, hold: str) -> bool:
    _, config = await scene.edge.get("/api/v1/config")
    return str(config["agents"]["tutor"]["migration"]["hold"]).startswith(hold)


async def test_a_bad_configuration_at_sighup_is_told_and_changes_nothing(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    client, = await scene.talking(1)
    good = scene.edge.file.read_text()
    for text, ok in ((good.replace("pool: tutors", "pool: nobody"), 0), (good, 1)):
        scene.edge.write(text)
        os.kill(scene.edge.pid, signal.SIGHUP)

        async def heeded(ok: int = ok) -> bool:
            return await scene.edge.metric("sbc_config_reload_ok") == ok
        await wait_until(heeded, f"sbc_config_reload_ok is {ok}")
    await client.say()
    await client.answered()
    assert await scene.edge.stop() == 0  # the log is written by a thread: whole only at the end
    assert "reload_rejected" in scene.edge.log() and "nobody" in scene.edge.log()
    assert "task_failed" not in scene.edge.log() and "Traceback" not in scene.edge.log()


async def test_a_reload_knows_what_became_of_the_nodes(scene: Scene) -> None:
    _, b, c = scene.plain("a", "b", "c")
    await scene.open()
    await scene.edge.post("/api/v1/nodes/a/drain")
    b.kill()
    await scene.edge.sees(b, state="down")
    tree = yaml.safe_load(scene.edge.file.read_text())
    tree["policies"]["default"]["limits"]["idle"] = "11m"
    scene.edge.write(yaml.safe_dump(tree))
    assert (await scene.edge.post("/api/v1/reload"))[0] == 200
    rows = await scene.edge.nodes()
    assert {name: row["state"] for name, row in rows.items()} == {"a": "draining", "b": "down", "c": "up"}
    for client in await scene.talking(4):
        assert client.node == c.name


async def test_listeners_come_and_go_and_nodes_that_are_removed_are_emptied(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(deadline="500ms")
    client = await scene.client()
    await client.say()
    await client.answered()
    heir = NodeProcess(scene.directory, "b", free_port(), edge=None)
    scene.nodes["b"] = heir
    heir.start()
    await heir.serving()
    tree = yaml.safe_load(scene.edge.file.read_text())
    second = free_port()
    tree["listeners"].append({"name": "second", "listen": f"127.0.0.1:{second}", "transports": ["websocket"]})
    tree["pools"]["tutors"]["nodes"] = [{"name": "b", "url": f"http://127.0.0.1:{heir.port}", "zone": "z1"}]
    scene.edge.write(yaml.safe_dump(tree))
    status, answer = await scene.edge.post("/api/v1/reload")
    assert status == 200, answer
    await scene.edge.sees(heir)
    await wait_until(lambda: heir.history("open"), "the session moves to the node that is left")
    await client.say()
    await wait_until(lambda: client.node == "b", "it answers")
    assert client.open_still
    scene.edge.url = f"ws://127.0.0.1:{second}/"
    other = await scene.client()
    await other.say()
    await other.answered()
    tree["listeners"].pop()
    scene.edge.write(yaml.safe_dump(tree))
    assert (await scene.edge.post("/api/v1/reload"))[0] == 200

    async def closed() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", second)
        except OSError:
            return True
        writer.close()
        return False
    await wait_until(closed, "the removed listener is closed")
    await other.say()
    await other.answered()
    assert other.open_still, "removing a listener drops no session"
