"""The edge's own faults: ended, killed and started again, out of file descriptors, out of disk."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import websockets.exceptions

from tests.support.oracle import exactly_once
from tests.support.raw import RawClient, upgrade
from tests.support.scene import Scene
from tests.support.wait import wait_until


async def test_sigterm_under_load_closes_every_session_with_restart_and_exits_0(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open()
    clients = await scene.talking(20)
    for client in clients:
        await client.say(4000, every=0.005)
    assert await scene.edge.stop() == 0
    for client in clients:
        assert (await client.ended())[0] == 1012
        assert len(client.heard) < client.owed, "the rest was waited for"
    assert "Traceback" not in scene.edge.log()


def sqlite(directory: Path) -> dict[str, object]:
    """The changes for a store on disk."""
    return {"edge": {"store": f"sqlite:{directory}/sbc.db"}}


@pytest.mark.parametrize("kind", ["trunk", "plain"])
async def test_an_edge_that_was_killed_gives_returning_clients_their_dialogs_back(scene: Scene, kind: str) -> None:
    if kind == "trunk":
        scene.trunk("a", "b", checkpoint="answer")
        await scene.open(sqlite(scene.directory))
    else:
        scene.plain("a", "b")
        await scene.open(sqlite(scene.directory), replay="all", output="regenerate")
    clients = await scene.talking(6)
    for client in clients:
        await client.say(3)
        await client.answered()
    await scene.edge.kept()
    scene.edge.kill()
    for client in clients:
        assert (await client.ended())[0] == 1006
    scene.edge.start()
    await scene.edge.ready()
    await scene.edge.sees(*scene.nodes.values())
    for client in clients:
        await client.reattach()
        assert "session-gap" not in client.answer_headers
        await client.say(2)
    for client in clients:
        await client.answered()
        exactly_once(client)


async def test_an_edge_that_was_ended_gives_returning_clients_their_dialogs_back(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(sqlite(scene.directory))
    clients = await scene.talking(6)
    for client in clients:
        await client.say(200, every=0.005)
        await client.has(5)
    assert await scene.edge.stop() == 0
    for client in clients:
        assert (await client.ended())[0] == 1012
    scene.edge.start()
    await scene.edge.ready()
    await scene.edge.sees(*scene.nodes.values())
    for client in clients:
        await client.reattach()
        assert "session-gap" not in client.answer_headers
    for client in clients:
        await client.answered()
        exactly_once(client)


async def test_file_descriptors_that_run_out_refuse_newcomers_keep_the_rest_and_come_back(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    process = psutil.Process(scene.edge.pid)
    before = resource.prlimit(scene.edge.pid, resource.RLIMIT_NOFILE)
    limit = process.num_fds() + 12
    resource.prlimit(scene.edge.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    crowd = [await RawClient.connect(scene.edge.port) for _ in range(60)]
    for member in crowd:
        await member.send(upgrade())
    spent = process.cpu_times()
    await client.say(100, every=0.01)
    await client.answered()
    used = process.cpu_times()
    assert used.user + used.system - spent.user - spent.system < 0.7, "the edge must not spin on accept"
    assert client.open_still
    for member in crowd:
        member.abort()

    async def serves() -> bool:
        late = await scene.client(opened=False)
        try:
            async with asyncio.timeout(2):
                await late.open()
        except (OSError, TimeoutError, websockets.exceptions.WebSocketException):
            return False
        await late.say()
        await late.answered()
        return True
    await wait_until(serves, "newcomers are served again")
    assert "Traceback" not in scene.edge.log()


@contextlib.contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of 512 KiB. Skips the test where it cannot be mounted."""
    place = directory / "disk"
    place.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)],
                                          capture_output=True, check=False).returncode != 0:
        pytest.skip("needs root and mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


async def test_a_full_disk_under_the_store_ends_no_session_and_is_shown(scene: Scene) -> None:
    with small_disk(scene.directory) as disk:
        scene.trunk("a", "b", checkpoint="message")
        await scene.open({"edge": {"store": f"sqlite:{disk}/sbc.db"}})
        clients = await scene.talking(4)
        ballast = disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        for client in clients:
            await client.say(100, every=0.005, pad=2000, ballast=20_000)

        async def unready() -> bool:
            return (await scene.edge.get("/readyz"))[0] == 503
        await wait_until(unready, "/readyz tells of the store")
        for client in clients:
            await client.answered()
            assert client.open_still
            exactly_once(client)
        assert scene.edge.running and "Traceback" not in scene.edge.log()
        ballast.unlink()
        for client in clients:
            await client.say(20, pad=100, ballast=1000)
        await scene.edge.ready()
        late = await scene.client()
        await late.say()
        await late.answered()
        scene.owner(clients[0]).kill()
        for client in clients:
            await client.say()
            await client.answered()
            exactly_once(client)


async def test_signals_that_mean_nothing_do_nothing(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    client = await scene.client()
    os.kill(scene.edge.pid, signal.SIGPIPE)
    await client.say()
    await client.answered()
