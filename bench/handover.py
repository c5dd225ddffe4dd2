"""What clients notice when the owner of half of all sessions dies, or is drained: a gap, and nothing else.

A session's gap is the longest time between saying something and its answer, of all answers that came after the event,
minus the median round trip before it. A session that said nothing meanwhile has no gap; so the edge's own measure,
how long each session had no owner, stands beside it.
"""

import argparse
import asyncio
import gc
import os
import re
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvloop

from bench.common import proxies
from bench.common.confs import Plan, edge_of
from bench.common.processes import ANY_CORE, BenchError, Worker
from bench.common.proxies import KINDS, Kind, Proxy
from bench.common.stage import Stage, arguments, perform, stage
from bench.common.tables import median, percentile, table
from bench.talkers import Talker, fall_silent, gather_talkers, until

CALM = 3.0
"""Seconds of traffic before the event and after the last session has moved."""
WITHIN = 20.0
"""Seconds that all sessions have to move."""


@dataclass(frozen=True, slots=True)
class Scenario:
    event: str
    standby: str

    def __str__(self) -> str:
        return f"{self.event}, {self.standby}"


SCENARIOS = [Scenario("SIGKILL", "cold"), Scenario("SIGKILL", "warm"), Scenario("drain", "cold"),
             Scenario("drain", "warm")]


@dataclass(slots=True)
class Found:
    """What one or more rounds of a scenario have shown. Times in seconds."""

    gaps: list[float] = field(default_factory=list)
    bystanders: list[float] = field(default_factory=list)
    """The same measure for sessions whose owner lived on."""
    round_trips: list[float] = field(default_factory=list)
    until_moved: list[float] = field(default_factory=list)
    """From the event until every session was answered by another node."""
    ownerless: Counter[float] = field(default_factory=Counter)
    """The edge's sbc_handover_gap_seconds: sessions by the upper bound of their bucket."""
    costs: list[float] = field(default_factory=list)
    """CPU seconds of the edge for each session moved, beyond what the traffic costs anyway; one figure a round."""
    messages: int = 0
    faults: Counter[str] = field(default_factory=Counter)


async def round_of(here: Stage, scenario: Scenario, options: argparse.Namespace, found: Found) -> None:
    """One round: an edge, its nodes, the sessions, the event."""
    edge, nodes = start(here, scenario, options)
    talkers = await gather_talkers(edge.url(False), options.sessions)
    if scenario.standby == "warm":
        await standbys_ready(nodes, options.sessions)
    before = edge.cpu()
    await asyncio.sleep(CALM)
    usual = (edge.cpu() - before) / CALM
    for talker in talkers:
        found.round_trips += talker.round_trips[1:]
        talker.round_trips.clear()
    leaving = [node for at, node in enumerate(nodes) if at % 2 == 0]
    names = {node.name for node in leaving}
    moved = [talker for talker in talkers if talker.node in names]
    if not 0.3 < len(moved) / len(talkers) < 0.7:
        raise BenchError(f"{len(moved)} of {len(talkers)} sessions are on {', '.join(names)}: not half of them")
    before, began = edge.cpu(), time.perf_counter()
    await strike(scenario, leaving, edge.plan)
    await until(lambda: not any(talker.node in names for talker in moved), WITHIN)
    found.until_moved.append(time.perf_counter() - began)
    found.costs.append((edge.cpu() - before - usual * found.until_moved[-1]) / len(moved))
    found.faults["not moved in time"] += sum(talker.node in names for talker in moved)
    await asyncio.sleep(CALM)
    found.ownerless += await asyncio.to_thread(ownerless, edge.plan)
    await fall_silent(talkers, 10)
    settle(found, talkers, set(map(id, moved)))
    for process in (*nodes, edge):
        process.stop()


def start(here: Stage, scenario: Scenario, options: argparse.Namespace) -> tuple[Proxy, list[Worker]]:
    """An edge, and nodes in two zones: those with even numbers in the one that is struck."""
    folder = here.folder / f"{scenario.event}-{scenario.standby}-{time.monotonic_ns()}"
    migration = f"{{standby: {scenario.standby}, output: {options.output}}}"
    kind = Kind("sbc.yaml", partial(edge_of, pool="nodes: []", migration=migration), KINDS["edge"].argv,
                cores=ANY_CORE)
    edge = Proxy("edge", kind, proxies.plan(folder, (), here.certificate))
    here.keep(edge)
    edge.wait_listening(edge.plan.trunk)
    nodes = []
    for number in range(options.nodes):
        node = here.worker(f"n{number}", "bench.nodes", f"n{number}", "--zone", f"z{number % 2}", "--trunk",
                           str(edge.plan.trunk), "--output", options.output, cores=ANY_CORE)
        node.answer()
        nodes.append(node)
    return edge, nodes


async def standbys_ready(nodes: list[Worker], sessions: int) -> None:
    """Wait until each session has a standby. Raises BenchError."""
    deadline = time.monotonic() + WITHIN
    while (ready := sum(node.ask()["standby"] for node in nodes)) < sessions:
        if time.monotonic() > deadline:
            raise BenchError(f"only {ready} of {sessions} sessions have a warm standby")
        await asyncio.sleep(0.2)


async def strike(scenario: Scenario, leaving: list[Worker], plan: Plan) -> None:
    """The event."""
    for node in leaving:
        if scenario.event == "SIGKILL":
            node.kill()
        else:
            url = f"http://127.0.0.1:{plan.admin}/api/v1/nodes/{node.name}/drain"
            await asyncio.to_thread(lambda at: urllib.request.urlopen(at, b"", 10).close(), url)


def ownerless(plan: Plan) -> Counter[float]:
    """How long sessions had no owner, as the edge has counted it: sessions by the upper bound of their bucket."""
    with urllib.request.urlopen(f"http://127.0.0.1:{plan.admin}/metrics", None, 10) as answer:
        text = answer.read().decode()
    upto: Counter[float] = Counter()
    for bound, count in re.findall(r'^sbc_handover_gap_seconds_bucket\{.*le="([^"]+)".*\} (\S+)', text, re.MULTILINE):
        upto[float(bound)] += int(float(count))
    bounds = sorted(upto)
    return Counter({bound: upto[bound] - (upto[bounds[at - 1]] if at else 0) for at, bound in enumerate(bounds)})


def settle(found: Found, talkers: list[Talker], moved: set[int]) -> None:
    """Add up what the clients have noticed."""
    usual = median(found.round_trips) or 0.0
    for talker in talkers:
        found.messages += talker.said
        found.faults += talker.faults
        gap = max(0.0, max(talker.round_trips, default=0.0) - usual)
        (found.gaps if id(talker) in moved else found.bystanders).append(gap)


async def rounds(here: Stage, options: argparse.Namespace) -> dict[Scenario, Found]:
    """All scenarios in turn, round by round."""
    found = {scenario: Found() for scenario in SCENARIOS if options.event in (None, scenario.event)}
    # A collection in the middle would be measured as a gap; what a round leaves behind is collected after it.
    gc.disable()
    for _ in range(1 if options.quick else options.rounds):
        for scenario, of in found.items():
            await round_of(here, scenario, options, of)
            gc.collect()
    return found


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    if options.nodes < 2 or options.nodes % 2:
        raise BenchError("the number of nodes must be even: half of them leave")
    options.sessions = 200 if options.quick else options.sessions
    with stage() as here:
        os.sched_setaffinity(0, ANY_CORE)
        found = uvloop.run(rounds(here, options))
    rows = [[str(scenario), len(of.gaps), *(_ms(percentile(of.gaps, share)) for share in (0.5, 0.99, 1)),
             *(_ms(bucket(of.ownerless, share)) for share in (0.5, 0.99)), _ms(percentile(of.bystanders, 0.99)),
             _ms(median(of.round_trips)), max(of.until_moved), _us(median(of.costs)), of.messages,
             sum(of.faults.values())]
            for scenario, of in found.items()]
    text = table(f"Handover of half of {options.sessions:,} sessions in traffic, {options.nodes} nodes, times in ms",
                 ["event, standby", "moved", "gap p50", "p99", "max", "no owner p50 <=", "p99 <=", "bystanders p99",
                  "round trip", "all moved, s", "us CPU a move", "messages", "faults"], rows)
    for scenario, of in found.items():
        for fault, number in of.faults.items():
            if number:
                text += f"\n  FAULT {scenario}: {fault}: {number}"
    return text, {"sessions": options.sessions, "nodes": options.nodes, "output": options.output,
                  "scenarios": {str(scenario): _figures(of) for scenario, of in found.items()}}


def bucket(counts: Counter[float], share: float) -> float | None:
    """The upper bound of the bucket in which the percentile lies."""
    return percentile(sorted(counts.elements()), share)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _us(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e6


def _figures(of: Found) -> dict[str, Any]:
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {
        "moved": len(of.gaps), "messages": of.messages, "faults": {fault: n for fault, n in of.faults.items() if n},
        "gap_ms": {name: _ms(percentile(of.gaps, share)) for name, share in shares.items()},
        "bystanders_ms": {name: _ms(percentile(of.bystanders, share)) for name, share in shares.items()},
        "round_trip_ms": {name: _ms(percentile(of.round_trips, share)) for name, share in shares.items()},
        "no_owner_seconds": {str(bound): count for bound, count in sorted(of.ownerless.items())},
        "seconds_until_all_moved": of.until_moved, "edge_us_cpu_per_move": [one * 1e6 for one in of.costs],
    }


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all scenarios (default 3)")
    parser.add_argument("--sessions", type=int, default=1000, help="live sessions (default 1000)")
    parser.add_argument("--nodes", type=int, default=2, help="nodes, half of which leave (default 2)")
    parser.add_argument("--event", choices=("SIGKILL", "drain"), help="this one alone")
    parser.add_argument("--output", choices=("continue", "regenerate"), default="regenerate")


def main() -> None:
    options = arguments("What clients notice of a handover.", more, peers=None)
    perform("handover", options, play)


if __name__ == "__main__":
    main()
