"""The load of the HTTP/3 bench: clients in a process of their own, which does what it is asked by lines of JSON.

    open   {set, port, ca, connections, asked}      open connections; each carries one request if `asked`
    add    {set, port, streams, path, within}       open streams of events, spread over them
    flood  {set, port, sessions, in_flight, body}   keep so many requests under way on each, until `calm`
    shake  {set, port, ca, parallel}                connect, close, and again, so many at a time, until `calm`
    calm   {set}
    count  {set}                                    events, answers and handshakes so far, and what was wrong
    close  {set}
"""

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any

import uvloop

from bench.common.asked import answer_questions
from bench.common.processes import raise_file_limit
from bench.quicclient import Client, connect, head

PATH = "/v1/answer"
CHUNK = 8
"""Connections opened at a time."""


class Set:
    """The connections of one proxy."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.handshakes = 0
        self.faults: Counter[str] = Counter()
        self.shaking: list[asyncio.Task[None]] = []

    async def shake(self, port: int, ca: str) -> None:
        """One connection after the other."""
        while True:
            try:
                client = await connect(port, ca)
            except (ConnectionError, TimeoutError) as fault:
                self.faults[f"no handshake: {fault}"] += 1
                continue
            self.handshakes += 1
            client.leave()

    async def calm(self) -> None:
        for task in self.shaking:
            task.cancel()
        await asyncio.gather(*self.shaking, return_exceptions=True)
        self.shaking = []
        for client in self.clients:
            client.head = []

    def count(self) -> dict[str, Any]:
        faults = sum((client.faults for client in self.clients), self.faults.copy())
        for client in self.clients:
            for stream in client.streams.values():
                faults += stream.faults
                faults["stream ended"] += stream.ended
        return {"events": sum(client.events for client in self.clients), "handshakes": self.handshakes,
                "answers": sum(client.answered for client in self.clients),
                "faults": {fault: number for fault, number in faults.items() if number}}


class Load:
    """All sets, by name."""

    def __init__(self) -> None:
        self.sets: dict[str, Set] = {}

    async def do(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question."""
        what, of = question.pop("do"), self.sets.setdefault(question.pop("set"), Set())
        match what:
            case "open":
                await open_all(of, **question)
            case "add":
                await add(of, **question)
            case "flood":
                flood(of, **question)
            case "shake":
                parallel = question.pop("parallel")
                of.shaking = [asyncio.get_running_loop().create_task(of.shake(**question)) for _ in range(parallel)]
            case "calm":
                await of.calm()
            case "close":
                for client in of.clients:
                    client.leave()
                of.clients = []
            case "count":
                pass
            case other:
                raise ValueError(f"no such thing to do: {other}")
        return of.count()


async def open_all(of: Set, port: int, ca: str, connections: int, asked: bool) -> None:
    """Raises ConnectionError, TimeoutError."""
    await ready(port, ca)
    for at in range(0, connections, CHUNK):
        some = await asyncio.gather(*(connect(port, ca) for _ in range(min(CHUNK, connections - at))))
        for number, client in enumerate(some, at):
            client.stay()
            if asked:
                client.flood(head(port, "GET", PATH, f"s{number % 4}"), b"", 1)
                client.head = []
        of.clients += some
    deadline = time.monotonic() + 10
    while asked and not all(client.answered for client in of.clients):
        if time.monotonic() > deadline:
            raise TimeoutError("requests are not answered")
        await asyncio.sleep(0.01)


async def ready(port: int, ca: str) -> None:
    """Wait until a handshake is completed: Traefik listens before it has read its certificate. Raises ConnectionError,
    TimeoutError."""
    deadline = time.monotonic() + 10
    while True:
        try:
            (await connect(port, ca)).leave()
        except ConnectionError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def add(of: Set, port: int, streams: int, path: str, within: float) -> None:
    """Raises ConnectionError if one is not answered by 200."""
    opened = []
    for at in range(streams):
        opened.append(of.clients[at % len(of.clients)].listen(port, path, f"s{at}"))
        if at % 20 == 19:
            await asyncio.sleep(0.01)
    deadline = time.monotonic() + within
    while not all(stream.status for stream in opened):
        if time.monotonic() > deadline:
            raise ConnectionError(f"{sum(not one.status for one in opened)} of {streams} streams are not answered")
        await asyncio.sleep(0.02)
    if bad := Counter(stream.status for stream in opened if stream.status != 200):
        raise ConnectionError(f"streams refused: {dict(bad)}")


def flood(of: Set, port: int, sessions: int, in_flight: int, body: str) -> None:
    """The connections belong to so many sessions."""
    for number, client in enumerate(of.clients):
        requests = head(port, "POST" if body else "GET", PATH, f"s{number % sessions}")
        if body:
            requests.append((b"content-length", b"%d" % len(body)))
        client.flood(requests, body.encode(), in_flight)


if __name__ == "__main__":
    raise_file_limit()

    async def main() -> None:
        await answer_questions(Load().do)

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main())
