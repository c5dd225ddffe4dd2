"""Proxy CPU per echoed WebSocket message: client -> proxy -> node -> proxy -> client.

Only the proxy's own CPU time counts. Rounds are interleaved: in each, every proxy in turn echoes the same number of
messages over the same number of connections; ratios are medians of round-by-round ratios.
"""

import argparse
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.common.processes import BenchError
from bench.common.proxies import PEERS, Proxy
from bench.common.stage import Stage, arguments, chosen, perform, stage
from bench.common.tables import median, ratio, table

CONNECTIONS = 20
WITHIN = 10.0
"""Seconds that one proxy may take for one round."""


@dataclass(frozen=True, slots=True)
class Case:
    secure: bool
    size: int
    in_flight: int

    def __str__(self) -> str:
        return f"{'TLS' if self.secure else 'plain'} {self.size} B x{self.in_flight}"


CASES = [Case(*case) for case in product((False, True), (128, 4096), (1, 8))]
Samples = dict[Case, dict[str, list[float]]]


def measure(here: Stage, proxy: Proxy, case: Case, count: int) -> float:
    """CPU microseconds per echoed message."""
    before = proxy.cpu()
    done = here.load.ask(do="echo", set=proxy.url(case.secure), size=case.size, tokens=case.in_flight,
                         count=count, within=WITHIN)
    if done["count"] < count:
        raise BenchError(f"{proxy.name} echoed {done['count']} of {count} messages in {WITHIN} s")
    return (proxy.cpu() - before) / done["count"] * 1e6


def rounds(here: Stage, started: list[Proxy], number: int, count: int) -> Samples:
    """Interleaved rounds; the order changes from round to round."""
    samples: Samples = {case: {proxy.name: [] for proxy in started} for case in CASES}
    for case in CASES:
        for proxy in started:
            measure(here, proxy, case, count // 4)
        for turn in range(number):
            order = started[turn % len(started):] + started[:turn % len(started)]
            for proxy in order:
                samples[case][proxy.name].append(measure(here, proxy, case, count))
    return samples


def rows(samples: Samples, names: list[str]) -> list[list[Any]]:
    """One row a case: the medians, then the ratios of the edge to its peers."""
    edges = [name for name in names if name.startswith("edge")]
    return [[str(case), *(median(of[name]) for name in names),
             *(ratio(of[edge], of[peer]) for edge in edges for peer in ("haproxy", "envoy") if peer in of),
             *(ratio(of[edge], of["edge"]) for edge in edges[1:])]
            for case, of in samples.items()]


def head(names: list[str]) -> list[str]:
    edges = [name for name in names if name.startswith("edge")]
    return ["us CPU per echo", *names,
            *(f"{edge}/{peer}" for edge in edges for peer in ("haproxy", "envoy") if peer in names),
            *(f"{edge}/edge" for edge in edges[1:])]


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    number, count = (2, 4000) if options.quick else (options.rounds, 15000)
    usual = ("edge", *(("edge-pure",) if options.pure else ()), *PEERS)
    with stage() as here:
        started = here.start(chosen(options, *usual))
        for proxy, secure in product(started, (False, True)):
            here.open(proxy, secure, CONNECTIONS)
        samples = rounds(here, started, number, count)
    names = [proxy.name for proxy in started]
    text = table(f"Proxy CPU per echoed message, {CONNECTIONS} connections, medians of {number} rounds of {count:,}",
                 head(names), rows(samples, names))
    figures = {str(case): {name: [round(one, 3) for one in of] for name, of in by.items()}
               for case, by in samples.items()}
    return text, {"connections": CONNECTIONS, "rounds": number, "messages": count,
                  "us_cpu_per_echo": figures}


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--pure", action="store_true", help="the edge without its compiled parts, too")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")


def main() -> None:
    options = arguments("Proxy CPU per echoed WebSocket message.", more)
    perform("relay", options, play)


if __name__ == "__main__":
    main()
