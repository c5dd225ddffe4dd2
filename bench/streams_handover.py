"""What clients notice when the node of half of all event streams dies: a gap, or an end that nobody takes for one.

500 streams over TLS HTTP/2, each a session of its own at one of two plain nodes without a trunk. Where the nodes give
their events ids and go on after Last-Event-ID, every stream has to continue, each event once; the gap is the time from
the SIGKILL to the first event of the other node, which has it ready. Where they do not, nobody can know what was still
to come: every stream of the dead node has to be reset, for an end in good order would look like a complete answer.
"""

import argparse
import asyncio
import gc
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvloop

from bench.common import proxies, webconfs
from bench.common.processes import ANY_CORE, BenchError
from bench.common.proxies import Kind, Proxy
from bench.common.stage import arguments, perform, set_up
from bench.common.tables import median, percentile, table
from bench.common.web import WebScene
from bench.handover import bucket, ownerless
from bench.readers import Reader, Stream, connect, open_streams
from bench.talkers import until

CONNECTIONS = 10
RATE = 10
"""Events a second on each stream."""
CALM = 2.0
"""Seconds of events before and after."""
WITHIN = 10.0
"""Seconds that all streams have to move or end."""
SCENARIOS = {"resumable": "/events?set=live&ids=1", "not resumable": "/events?set=live"}
EDGE = Kind("sbc.yaml", partial(webconfs.edge, protocol="sse", migration="{standby: cold}"), proxies.edge,
            cores=ANY_CORE)


@dataclass(slots=True)
class Found:
    """What one or more rounds of a scenario have shown. Times in seconds."""

    struck: int = 0
    """Streams whose node died."""
    gaps: list[float] = field(default_factory=list)
    """Of those that went on."""
    marked: int = 0
    """Those that were reset."""
    until_settled: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    """CPU seconds of the edge for each, beyond what the events cost anyway; one figure a round."""
    ownerless: Counter[float] = field(default_factory=Counter)
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)


async def round_of(scenario: str, number: int, found: Found) -> None:
    """One round: an edge, two nodes, the streams, the death of one node."""
    with set_up(partial(WebScene, cores=ANY_CORE)) as here:
        edge = here.keep(Proxy("edge", EDGE, proxies.plan(here.folder / "edge", here.nodes, here.certificate)))
        here.talk("live", RATE)
        url = f"https://localhost:{edge.plan.secure}"
        readers = await connect(url, str(here.certificate.authority), CONNECTIONS)
        streams = await open_streams(readers, url, SCENARIOS[scenario], number, 20)
        before = edge.cpu()
        await asyncio.sleep(CALM)
        usual = (edge.cpu() - before) / CALM
        dead = [stream for stream in streams if stream.node == "n0"]
        if not 0.3 < len(dead) / number < 0.7:
            raise BenchError(f"{len(dead)} of {number} streams are on the node that is to die: not half of them")
        before, began = edge.cpu(), time.perf_counter()
        here.webs[0].kill()
        await until(lambda: not any(stream.node == "n0" and not stream.ended for stream in dead), WITHIN)
        found.until_settled.append(time.perf_counter() - began)
        found.costs.append((edge.cpu() - before - usual * found.until_settled[-1]) / len(dead))
        await asyncio.sleep(CALM)
        settle(found, scenario, streams, dead, began)
        found.ownerless += await asyncio.to_thread(ownerless, edge.plan)
        leave(readers)


def settle(found: Found, scenario: str, streams: list[Stream], dead: list[Stream], began: float) -> None:
    """Add up what the clients have noticed."""
    found.struck += len(dead)
    for stream in streams:
        found.events += stream.events
        found.faults += stream.faults
    for stream in dead:
        if stream.node != "n0" and not stream.ended:
            found.gaps.append(stream.moved - began)
        elif stream.ended and stream.code:
            found.marked += 1
        else:
            found.faults["ended as if complete" if stream.ended else "silent"] += 1
    found.faults["others ended"] += sum(stream.ended for stream in streams) - sum(stream.ended for stream in dead)
    if scenario == "resumable":
        found.faults["not resumed"] += sum(stream.ended for stream in dead)


def leave(readers: list[Reader]) -> None:
    for reader in readers:
        reader.leave()


async def rounds(options: argparse.Namespace) -> dict[str, Found]:
    """Both scenarios in turn, round by round."""
    found = {scenario: Found() for scenario in SCENARIOS}
    # A collection in the middle would be measured as a gap; what a round leaves behind is collected after it.
    gc.disable()
    for _ in range(1 if options.quick else options.rounds):
        for scenario, of in found.items():
            await round_of(scenario, options.streams, of)
            gc.collect()
    return found


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    options.streams = 100 if options.quick else options.streams
    os.sched_setaffinity(0, ANY_CORE)
    found = uvloop.run(rounds(options))
    rows = [[scenario, of.struck, len(of.gaps), of.marked,
             *(_ms(percentile(of.gaps, share)) for share in (0.5, 0.99, 1)),
             *(_ms(bucket(of.ownerless, share)) for share in (0.5, 0.99)), max(of.until_settled),
             (median(of.costs) or 0.0) * 1e6, of.events, sum(of.faults.values())]
            for scenario, of in found.items()]
    text = table(f"SIGKILL of the node of half of {options.streams:,} streams of {RATE} events a second, times in ms",
                 ["nodes", "struck", "went on", "marked", "gap p50", "p99", "max", "no owner p50 <=", "p99 <=",
                  "all settled, s", "us CPU each", "events", "faults"], rows)
    for scenario, of in found.items():
        text += "".join(f"\n  FAULT {scenario}: {fault}: {number}" for fault, number in of.faults.items() if number)
    return text, {"streams": options.streams, "rate": RATE,
                  "scenarios": {scenario: _figures(of) for scenario, of in found.items()}}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _figures(of: Found) -> dict[str, Any]:
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {
        "struck": of.struck, "went_on": len(of.gaps), "marked": of.marked, "events": of.events,
        "faults": {fault: number for fault, number in of.faults.items() if number},
        "gap_ms": {name: _ms(percentile(of.gaps, share)) for name, share in shares.items()},
        "no_owner_seconds": {str(bound): count for bound, count in sorted(of.ownerless.items())},
        "seconds_until_settled": of.until_settled, "edge_us_cpu_each": [one * 1e6 for one in of.costs],
    }


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--rounds", type=int, default=3, help="rounds of both scenarios (default 3)")
    parser.add_argument("--streams", type=int, default=500, help="streams in flight (default 500)")


def main() -> None:
    options = arguments("What clients notice of the death of a node in the middle of streams.", more, peers=None)
    perform("streams_handover", options, play)


if __name__ == "__main__":
    main()
