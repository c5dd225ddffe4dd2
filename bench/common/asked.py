"""The other end of Worker.ask: a process that answers each line of JSON on its standard input with one."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def answer_questions(answer: Answer) -> None:
    """Answer until the input ends. What goes wrong is for the bench to judge: it is an answer too."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        try:
            said = await answer(json.loads(line))
        except Exception as fault:
            said = {"error": f"{type(fault).__name__}: {fault}"}
        say(said)


def say(said: dict[str, Any]) -> None:
    """One line to the bench."""
    print(json.dumps(said), flush=True)
