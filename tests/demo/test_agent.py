"""The demo's agent as a process, in front of an edge written by hand."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sbc.demo.agent import Conversation
from tests.sdk.edge import Edge, closed, listening, words
from tests.support.wait import PATIENCE, wait_until


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with listening() as edge:
        yield edge


@asynccontextmanager
async def agent(edge: Edge, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    edge.leg_url = f"http://127.0.0.1:{port}/chat"
    seen = len(edge.trunks)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sbc.demo.agent", "--name", "a", "--port", str(port), "--edge", edge.trunk_url, *more,
        stderr=asyncio.subprocess.PIPE)
    try:
        await wait_until(lambda: len(edge.trunks) > seen, "the trunk")
        await wait_until(lambda: answers(edge), "the port")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def answers(edge: Edge) -> bool:
    try:
        async with edge.http.get(edge.leg_url.replace("/chat", "/healthz")) as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def answer(leg: aiohttp.ClientWebSocketResponse) -> str:
    said = ""
    while not said.endswith("\n"):
        [word] = await words(leg, 1)
        assert isinstance(word, str)
        said += word
    return said


def test_a_conversation_goes_on_anywhere() -> None:
    here = Conversation(None)
    here.hear("hello")
    there = Conversation(here.state)
    for conversation in (here, there):
        conversation.hear("again " * 100)
    assert here.answer() == there.answer()
    assert here.answer()[:8] == ["This", "is", "message", "2:", "you", "say", "“again", "again"]
    for _ in range(1000):
        here.hear("\U0001f600" * 10_000)
    assert len(here.state.encode()) < 64 * 1024


async def test_a_half_finished_answer_is_finished_by_another(edge: Edge) -> None:
    async with agent(edge, "--delay", "0.02") as process:
        await edge.invite("s", 1)
        async with edge.leg("s", 1) as leg:
            await leg.send_str("hello")
            first = await answer(leg)
            kept = await edge.word("checkpoint")
            await leg.send_str("and again")
            begun = await words(leg, 4)
            process.kill()
    assert first == ("This is message 1: you say “hello”. It is the first thing I hear from you, and I shall remember "
                     "it wherever I am. \n")
    assert (kept["received"], kept["sent"]) == (1, len(first.split()) + 1)
    async with agent(edge, "--delay", "0"):
        await edge.invite("s", 2, checkpoint={name: kept[name] for name in ("received", "sent", "state")})
        async with edge.leg("s", 2, resume=(1, kept["sent"], kept["sent"] + 4)) as leg:
            await leg.send_str("and again")
            assert "".join(map(str, begun)) + await answer(leg) == (
                "This is message 2: you say “and again”. Before that you said “hello”, and the first thing I remember "
                "is “hello”. \n")


async def test_its_name_only_if_asked(edge: Edge) -> None:
    async with agent(edge, "--delay", "0", "--say-name", "--pool", "p", "--zone", "z2"):
        assert {name: edge.heard[0][name] for name in ("node", "pool", "zone")} == {
            "node": "a", "pool": "p", "zone": "z2"}
        async with edge.leg("s") as leg:
            await leg.send_bytes(b"\xff")
            assert (await answer(leg)).startswith("[a] This is message 1: you say “�”.")


async def test_sigterm_waits_for_its_sessions_to_leave(edge: Edge) -> None:
    async with agent(edge, "--delay", "0") as process:
        async with edge.leg("s") as leg:
            await leg.send_str("one")
            await answer(leg)
            process.send_signal(signal.SIGTERM)
            await edge.word("drain")
            await leg.send_str("two")  # it is not deaf meanwhile
            assert (await answer(leg)).startswith("This is message 2")
            await leg.close(code=1001)
            log = (await asyncio.wait_for(process.communicate(), PATIENCE))[1].decode()
        assert process.returncode == 0
    assert log.count("s: ") == 4 and "Traceback" not in log, log


async def test_a_second_sigterm_does_not_wait(edge: Edge) -> None:
    async with agent(edge, "--delay", "0") as process, edge.leg("s") as leg:
        await leg.send_str("one")
        await answer(leg)
        os.kill(process.pid, signal.SIGTERM)
        await edge.word("drain")
        os.kill(process.pid, signal.SIGTERM)
        assert await closed(leg) == 1001
        await asyncio.wait_for(process.wait(), PATIENCE)
        assert process.returncode == 0
