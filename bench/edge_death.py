"""What clients notice when an edge dies by SIGKILL: two edges on one Redis, nodes with a trunk to each.

Every client of the edge that dies comes back to the other one at once, with its token and its count, and says again
what that edge has not. What it takes from its first attempt until the session goes on (the next answer that it was
waiting for) is measured for each; nothing may be lost or doubled.
"""

import argparse
import asyncio
import gc
import os
import random
import re
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from picows import WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from bench.common import proxies
from bench.common.confs import edge_of
from bench.common.processes import ANY_CORE, BenchError, Worker
from bench.common.proxies import KINDS, Kind, Proxy
from bench.common.redis import serve
from bench.common.stage import Stage, arguments, perform, stage
from bench.common.tables import median, percentile, table
from bench.talkers import Talker, until

LEASE = 5.0
"""Of the edges, in seconds."""
CALM = 3.0
"""Seconds of traffic before the edge dies, and after all have come back."""
WITHIN = 30.0
"""Seconds that all clients have to come back."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0
"""Seconds between attempts, as in the client SDK, where the edge does not say when."""


class Roamer(Talker):
    """A client that comes back to the other edge."""

    def __init__(self, urls: list[str]) -> None:
        super().__init__()
        self.urls = urls
        self.token = ""
        self.heard = 0
        self.back_at = 0.0
        """When its first attempt to come back began; 0: not yet."""
        self.let_in = self.goes_on = 0.0
        """How long after that it was let in, and heard the next answer."""
        self.attempts = 0
        self._returning: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin a session at the first edge."""
        transport, _ = await self._connect(self.urls[0], {})
        self.token = str(transport.response.headers["Session-Id"])

    async def _connect(self, url: str, headers: dict[str, str]) -> tuple[WSTransport, WSListener]:
        return await ws_connect(lambda: self, url, use_aiofastnet=False, read_buffer_init_size=2048,
                                websocket_handshake_timeout=15, extra_headers=headers)

    def on_ws_connected(self, transport: WSTransport) -> None:
        if self.transport is None:
            self.transport = transport
            self.later()
            return
        # At once: what is said next comes after it.
        self.transport, headers = transport, transport.response.headers
        self.let_in = time.perf_counter() - self.back_at
        self.faults["gap"] += int(headers.get("Session-Gap", 0))
        for number in range(int(headers["Session-Received"]) + 1, self.said + 1):
            transport.send(WSMsgType.TEXT, str(number))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            self.heard += 1
            if self.let_in and not self.goes_on:
                self.goes_on = time.perf_counter() - self.back_at
        super().on_ws_frame(transport, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.talks:
            return
        if self.back_at:
            self.faults["disconnected again"] += 1
            return
        self.back_at = time.perf_counter()
        self._returning = asyncio.get_running_loop().create_task(self._come_back())

    async def _come_back(self) -> None:
        pause = FIRST_PAUSE
        while time.perf_counter() < self.back_at + WITHIN:
            self.attempts += 1
            try:
                await self._connect(self.urls[1], {"Session-Id": self.token, "Session-Received": str(self.heard)})
                return
            except WSHandshakeError as refused:
                told = refused.response.headers.get("Retry-After") if refused.response is not None else None
                wait = random.uniform(1, 1.5) * float(told) if told else random.uniform(pause / 2, pause)
            except OSError:
                wait = random.uniform(pause / 2, pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(wait)
        self.faults["not let in"] += 1

    def say(self) -> None:
        """The next number, though there may be nobody to hear it now."""
        if not self.talks:
            return
        self.said += 1
        self.unanswered.append(time.perf_counter())
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.send(WSMsgType.TEXT, str(self.said))
        self.later()


@dataclass(slots=True)
class Found:
    """What the rounds have shown. Times in seconds."""

    let_in: list[float] = field(default_factory=list)
    goes_on: list[float] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    round_trips: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    """CPU seconds of the edge that takes the sessions over, for each of them; one figure a round."""
    messages: int = 0
    faults: Counter[str] = field(default_factory=Counter)


def start(here: Stage, redis: int, options: argparse.Namespace) -> tuple[list[Proxy], list[Worker]]:
    """Two edges of one store, and the nodes of both."""
    folder = here.folder / str(time.monotonic_ns())
    folder.mkdir()
    (folder / "seal.key").write_text("5e" * 32)
    edges = []
    for name in ("one", "two"):
        configure = partial(edge_of, pool="nodes: []", migration="{replay: auto, output: regenerate}", name=name,
                            store=f"redis://127.0.0.1:{redis}/0", durability=options.durability,
                            seal_key=folder / "seal.key", redis=f"{{lease: {LEASE:g}s}}")
        edges.append(here.keep(Proxy(name, Kind("sbc.yaml", configure, KINDS["edge"].argv, cores=ANY_CORE),
                                     proxies.plan(folder / name, (), here.certificate))))
    trunks = [f"--trunk={edge.plan.trunk}" for edge in edges]
    nodes = [here.worker(f"n{number}", "bench.nodes", f"n{number}", "--zone", f"z{number % 2}", *trunks,
                         cores=ANY_CORE) for number in range(options.nodes)]
    for node in nodes:
        node.answer()
    return edges, nodes


async def round_of(here: Stage, redis: int, options: argparse.Namespace, found: Found) -> None:
    """One round: two edges, their clients, the death of one."""
    edges, nodes = start(here, redis, options)
    first, second = edges
    roamers = [Roamer([edge.url(False) for edge in edges]) for _ in range(options.sessions)]
    for at in range(0, len(roamers), 25):
        await asyncio.gather(*(roamer.open() for roamer in roamers[at:at + 25]))
    await asyncio.sleep(CALM)
    for roamer in roamers:
        found.round_trips += roamer.round_trips[1:]
    before = second.cpu()
    first.kill()
    await until(lambda: all(roamer.goes_on for roamer in roamers), WITHIN)
    found.costs.append((second.cpu() - before) / len(roamers))
    await asyncio.sleep(CALM)
    for roamer in roamers:
        roamer.talks = False
    await until(lambda: not any(roamer.unanswered for roamer in roamers), 10)
    for roamer in roamers:
        if roamer.unanswered:
            roamer.faults["answer missing"] += len(roamer.unanswered)
        if not roamer.goes_on:
            roamer.faults["does not go on"] += 1
        if roamer.transport is not None:
            roamer.transport.disconnect()
        found.let_in.append(roamer.let_in)
        found.goes_on.append(roamer.goes_on)
        found.attempts.append(roamer.attempts)
        found.messages += roamer.said
        found.faults += roamer.faults
    await asyncio.to_thread(check_traffic, second, len(roamers))
    for process in (*nodes, second):
        process.stop()


def check_traffic(edge: Proxy, sessions: int) -> None:
    """Raise BenchError if the edge that lives on did not claim them all."""
    with urllib.request.urlopen(f"http://127.0.0.1:{edge.plan.admin}/metrics", None, 10) as answer:
        text = answer.read().decode()
    granted = re.search(r'^sbc_claims_total\{outcome="granted"\} (\S+)', text, re.MULTILINE)
    if granted is None or float(granted[1]) != sessions:
        raise BenchError(f"{granted and granted[1]} sessions were claimed, not {sessions}")


async def rounds(here: Stage, redis: int, options: argparse.Namespace) -> Found:
    found = Found()
    gc.disable()  # a collection in the middle would be measured
    for _ in range(1 if options.quick else options.rounds):
        await round_of(here, redis, options, found)
        gc.collect()
    return found


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    options.sessions = 100 if options.quick else options.sessions
    with tempfile.TemporaryDirectory() as place, stage() as here:
        os.sched_setaffinity(0, ANY_CORE)
        server, port = serve(Path(place))
        try:
            time.sleep(LEASE + 2)  # before that nobody knows what a server has forgotten that was there before it
            found = uvloop.run(rounds(here, port, options))
        finally:
            server.kill()
            server.wait()
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    rows = [[what, *(percentile(of, share) for share in shares.values())]
            for what, of in (("let in", found.let_in), ("goes on", found.goes_on),
                             ("attempts", [float(one) for one in found.attempts]))]
    text = table(f"SIGKILL of the edge of {options.sessions:,} sessions, durability: {options.durability}; "
                 "seconds from the first attempt to come back", ["", *shares], rows)
    late = sum(one > 2 or not one for one in found.goes_on)
    cost = (median(found.costs) or 0) * 1000
    text += (f"\n\n  {late} of {len(found.goes_on):,} went on later than 2 s; {cost:.2f} ms CPU of the other edge for "
             f"each; {found.messages:,} messages, {sum(found.faults.values())} faults")
    for fault, number in (+found.faults).items():
        text += f"\n  FAULT {fault}: {number}"
    return text, {
        "sessions": options.sessions, "nodes": options.nodes, "durability": options.durability,
        **{f"{name}_seconds": {share: percentile(of, of_all) for share, of_all in shares.items()}
           for name, of in (("let_in", found.let_in), ("goes_on", found.goes_on), ("round_trip", found.round_trips))},
        "later_than_2_s": late, "ms_cpu_per_session": [one * 1000 for one in found.costs],
        "messages": found.messages, "faults": {fault: number for fault, number in found.faults.items() if number},
    }


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--rounds", type=int, default=3, help="(default 3)")
    parser.add_argument("--sessions", type=int, default=500, help="sessions of the edge that dies (default 500)")
    parser.add_argument("--nodes", type=int, default=2, help="nodes (default 2)")
    parser.add_argument("--durability", choices=("none", "async", "sync"), default="sync")


def main() -> None:
    options = arguments("What clients notice of an edge's death.", more, peers=None)
    perform("edge_death", options, play)


if __name__ == "__main__":
    main()
