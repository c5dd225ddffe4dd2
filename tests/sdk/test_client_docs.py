"""The examples of docs/CLIENTS.md, run as they are but for their URL; its tables, against the code."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from sbc.sdk.client import connect
from sbc.sdk.client.contract import after_close
from tests.sdk.test_client import listening
from tests.support.relays import Network
from tests.support.scene import Scene
from tests.support.wait import PATIENCE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "CLIENTS.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


async def run(example: str, port: int, *arguments: str) -> asyncio.subprocess.Process:
    """An example as a process that talks to this port."""
    code = re.sub(r'"(https|wss)://edge\.example/tutor"', lambda url: f'"{url[1][:-1]}://127.0.0.1:{port}/"', example)
    assert code != example
    return await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments, cwd=ROOT,
                                                stdout=subprocess.PIPE)


async def said(example: str, port: int, *arguments: str) -> str:
    """What it has printed in the end."""
    process = await run(example, port, *arguments)
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    return out.decode()


async def test_the_examples_run(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(listening(scene))
    network = Network(scene.edge.port)
    await network.open()
    short, ticket, whole = EXAMPLES
    assert await said(short, network.port) == "hello\n"
    first, kept = (await said(ticket, network.port)).splitlines()
    assert first == "first" and kept.endswith(" 1")
    assert (await said(ticket, network.port, *kept.split())).splitlines()[0] == "first", "the agent echoes"
    questions = [f"question {number}" for number in range(20)]
    client = await run(whole, network.port, *questions)
    assert client.stdout is not None
    heard = [await asyncio.wait_for(client.stdout.readline(), PATIENCE) for _ in range(5)]
    network.cut()
    rest, _ = await asyncio.wait_for(client.communicate(), PATIENCE)
    await network.close()
    assert (b"".join(heard) + rest).decode().split("\n")[:-1] == questions
    assert client.returncode == 0


def test_every_argument_is_described_and_no_other() -> None:
    described = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## 2.")[2].partition("## 3.")[0], re.MULTILINE)
    there = connect.__code__.co_varnames[:connect.__code__.co_argcount + connect.__code__.co_kwonlyargcount]
    assert described == list(there)


def test_the_table_of_ends_says_what_the_client_does() -> None:
    rows = re.findall(r"^\| ([\w, =`()]+) \| [^|]* \| ([^|]*) \|$", PAGE.partition("## 4.")[2], re.MULTILINE)
    told = {int(code): what for codes, what in rows if "status" not in codes and "gap" not in codes
            for code in re.findall(r"\b(?:1\d{3}|4409)\b", codes)}
    assert {code: what.startswith("come back") for code, what in told.items() if code != 1001} == {
        code: after_close(code, "") is not None for code in told if code != 1001}
