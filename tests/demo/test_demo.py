"""`sbc demo` as its user sees it: what it prints can be pasted, and its kill hits the agent that answers."""

import asyncio
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from websockets.asyncio.client import connect

from sbc import app
from sbc.app import NODES
from sbc.demo.agent import Conversation
from tests.support.asking import Stream, asking
from tests.support.edge import free_port
from tests.support.nursery import ROOT
from tests.support.wait import PATIENCE, STARTING, wait_until


def taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[str]:
    """What a running demo has printed."""
    if shutil.which("curl") is None or any(taken(port) for _, port in NODES):
        pytest.skip("curl, and the demo's ports, are needed")
    listen = {door: f"127.0.0.1:{free_port()}" for door in ("plain", "admin", "trunk")}
    tree = yaml.safe_load((ROOT / "config" / "sbc.yaml").read_text())
    tree["edge"] |= {"store": "memory:", "seal_keys": [{"id": "k", "file": str(tmp_path / "seal.key")}]}
    tree["edge"]["records"] = str(tmp_path / "records.jsonl")
    tree |= {door: {"listen": listen[door]} for door in ("admin", "trunk")}
    tree["listeners"] = [{"name": "plain", "listen": listen["plain"]}]
    file = tmp_path / "sbc.yaml"
    file.write_text(yaml.safe_dump(tree))
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sbc", "demo", "-c", str(file), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert demo.stdout is not None
    try:
        yield (await asyncio.wait_for(demo.stdout.readuntil(b"Ctrl-C"), STARTING)).decode()
    finally:
        demo.terminate()
        await asyncio.wait_for(demo.wait(), PATIENCE)


def test_a_port_of_an_agent_that_is_taken_is_told(monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(app, "NODES", (("a", port),))
        assert app.demo(str(ROOT / "config" / "sbc.yaml")) == 1
    assert capsys.readouterr().err == f"the demo's agent a: cannot listen on 127.0.0.1:{port}: Address already in use\n"


async def test_the_line_that_kills_hits_the_agent_that_answers(told: str) -> None:
    found = re.search(r"^  (kill -9 .*)$", told, re.MULTILINE)
    where, ask, admin = (re.search(url, told) for url in (r"ws://\S+/chat", r"http://\S+/ask", r"http://\S+(?=/metrics)"))
    assert found and where and ask and admin, told
    expected = Conversation(None)
    expected.hear("hello")
    async with asking() as http:
        async def both_up() -> bool:
            async with http.get(f"{admin[0]}/api/v1/nodes") as answer:
                return [row["state"] for row in (await answer.json())["nodes"]] == ["up", "up"]
        await wait_until(both_up, "both agents are there", STARTING)
        idle = [Stream.opened(http, "POST", ask[0], headers={"Chat-Id": name}, data="hello") for name in "123456"]
        for stream in idle:  # sessions on both agents that are not answered at the moment
            assert await stream.ended() == "whole"
        async with connect(where[0], proxy=None) as client:
            await client.send("hello")
            heard = [await asyncio.wait_for(client.recv(), PATIENCE) for _ in range(3)]
            kill = await asyncio.create_subprocess_shell(found[1], cwd=ROOT)
            assert await asyncio.wait_for(kill.wait(), PATIENCE) == 0
            while heard[-1] != "\n":
                heard.append(await asyncio.wait_for(client.recv(), PATIENCE))
            assert "".join(map(str, heard)).split() == expected.answer()
            left = [port for _, port in NODES if taken(port)]
            assert len(left) == 1, "one agent was killed"
            await client.send("again")
            assert await asyncio.wait_for(client.recv(), PATIENCE) == "This "
