"""What it costs to have each message in the store: `durability` none, async and sync, with SQLite and with Redis.

An echoed message is two for the journal, one in each direction. The edge's CPU time counts, with that of the thread
that writes to SQLite; beside it that of the Redis server, and how many echoes there are a second: with `sync` a message
waits for the store, so that is its round trip too.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.common.confs import Plan, edge_of
from bench.common.processes import BenchError, process_cpu
from bench.common.proxies import KINDS, Kind, Proxy
from bench.common.redis import serve
from bench.common.stage import Stage, arguments, perform, stage
from bench.common.tables import median, ratio, table

CONNECTIONS = 20
SIZE = 128
IN_FLIGHT = (1, 8)
WITHIN = 30.0
"""Seconds that one edge may take for one round."""
WORDS = ("none", "async", "sync")


@dataclass(slots=True)
class Found:
    """Of one edge and load."""

    edge_cpu: list[float] = field(default_factory=list)
    """Microseconds for each echo."""
    redis_cpu: list[float] = field(default_factory=list)
    a_second: list[float] = field(default_factory=list)


def configure(plan: Plan, *, name: str, store: str, durability: str) -> str:
    pool = f"""nodes: [{{name: a, url: "http://127.0.0.1:{plan.nodes[0]}", zone: z1, capacity: {plan.sessions}}}]"""
    where = f"sqlite:{plan.folder}/sbc.db" if store == "sqlite" else store
    return edge_of(plan, pool, "{replay: all, output: regenerate}", name=name, store=where, durability=durability)


def kinds(redis: int) -> Iterator[tuple[str, Kind]]:
    """An edge for each store and word, and one without a store that lasts."""
    stores = {"memory": "memory:", "sqlite": "sqlite", "redis": f"redis://127.0.0.1:{redis}/0"}
    for store, url in stores.items():
        for word in WORDS if store != "memory" else WORDS[:1]:
            name = store if store == "memory" else f"{store}-{word}"
            yield name, Kind("sbc.yaml", partial(configure, name=name, store=url, durability=word), KINDS["edge"].argv)


def measure(here: Stage, proxy: Proxy, redis: int, in_flight: int, count: int, found: Found) -> None:
    """One round."""
    before, theirs = proxy.cpu(), process_cpu(redis)
    done = here.load.ask(do="echo", set=proxy.url(False), size=SIZE, tokens=in_flight, count=count, within=WITHIN)
    if done["count"] < count:
        raise BenchError(f"{proxy.name} echoed {done['count']} of {count} messages in {WITHIN} s")
    found.edge_cpu.append((proxy.cpu() - before) / done["count"] * 1e6)
    found.redis_cpu.append((process_cpu(redis) - theirs) / done["count"] * 1e6)
    found.a_second.append(done["count"] / done["seconds"])


def rounds(here: Stage, edges: list[Proxy], redis: int, number: int, count: int) -> dict[int, dict[str, Found]]:
    """Interleaved rounds; the order changes from round to round."""
    found = {in_flight: {edge.name: Found() for edge in edges} for in_flight in IN_FLIGHT}
    for in_flight, of in found.items():
        for edge in edges:
            measure(here, edge, redis, in_flight, count // 4, Found())
        for turn in range(number):
            for edge in edges[turn % len(edges):] + edges[:turn % len(edges)]:
                measure(here, edge, redis, in_flight, count, of[edge.name])
    return found


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    number, count = (2, 2000) if options.quick else (options.rounds, 10_000)
    with tempfile.TemporaryDirectory() as place, stage() as here:
        server, port = serve(Path(place))
        try:
            here.kinds = dict(kinds(port))
            edges = here.start(list(here.kinds))
            for edge in edges:
                here.open(edge, False, CONNECTIONS)
            found = rounds(here, edges, server.pid, number, count)
        finally:
            server.kill()
            server.wait()
    rows = [[f"{name} x{in_flight}", median(of.edge_cpu), ratio(of.edge_cpu, found[in_flight]["memory"].edge_cpu),
             median(of.redis_cpu) if name.startswith("redis") else None, median(of.a_second)]
            for in_flight in IN_FLIGHT for name, of in found[in_flight].items()]
    text = table(f"Cost of an echo of {SIZE} B, {CONNECTIONS} connections, medians of {number} rounds of {count:,}",
                 ["store-durability", "us CPU (edge)", "/memory", "us CPU (Redis)", "echoes a second"], rows)
    return text, {"connections": CONNECTIONS, "size": SIZE, "rounds": number, "messages": count, "cases": {
        f"{name} x{in_flight}": {"edge_us_cpu": of.edge_cpu, "redis_us_cpu": of.redis_cpu, "a_second": of.a_second}
        for in_flight in IN_FLIGHT for name, of in found[in_flight].items()}}


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")


def main() -> None:
    perform("durability", arguments("What durability costs a message.", more, peers=None), play)


if __name__ == "__main__":
    main()
