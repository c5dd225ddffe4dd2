"""The demo over HTTP: its agents behind a real edge, one killed in the middle of an answer."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sbc.demo.agent import Conversation
from tests.support.edge import Edge, free_port
from tests.support.wait import wait_until

ROUTE = {"match": {"path": "/ask"}, "agent": "tutor", "protocol": "sse", "session": {"header": "Chat-Id"}}


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    edge = Edge(tmp_path)
    listener = {"name": "plain", "listen": f"127.0.0.1:{edge.port}"}
    edge.configure([], {"listeners": [listener], "routes": [ROUTE], "pools": {"tutors": {"nodes": [], "probe": None}}})
    edge.start()
    await edge.ready()
    yield edge
    await edge.stop()


async def test_an_answer_goes_on_when_its_agent_is_killed(edge: Edge) -> None:
    agents = {
        name: await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sbc.demo.agent", "--name", name, "--port", str(free_port()), "--pool", "tutors",
            "--edge", edge.trunk_url, "--delay", "0.05", stderr=asyncio.subprocess.DEVNULL)
        for name in ("a", "b")
    }  # fmt: skip
    try:
        async def both_up() -> bool:
            return {row["state"] for row in (await edge.nodes()).values()} == {"up"} and len(await edge.nodes()) == 2
        await wait_until(both_up, "both agents have joined")
        said: list[str] = []
        async with (aiohttp.ClientSession() as client,
                    client.post(edge.url.replace("ws:", "http:") + "ask", data="hello",
                                headers={"Chat-Id": "me"}) as answer):
            async for line in answer.content:
                if not line.startswith(b"data: "):
                    continue
                said.append(line[6:-1].decode())
                if len(said) == 5:
                    agents[(await edge.sessions())[0]["owner"].partition("/")[2]].kill()
        expected = Conversation(None)
        expected.hear("hello")
        assert said == expected.answer()
    finally:
        for process in agents.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
