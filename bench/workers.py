"""What several workers cost, and bring: the edge with one and with two of them, which may use every core.

CPU per echoed WebSocket message, the supervisor's included, and how many messages come back a second. On a machine of
two cores the load and the node take a part of both, so that twice as many messages cannot be had: CPU per message then
says whether the workers stand in each other's way. What the crowd on the cores costs by itself is seen at HAProxy, with
one thread and with two.
"""

import argparse
from dataclasses import replace
from itertools import product
from typing import Any

from bench.common import confs, proxies
from bench.common.processes import ANY_CORE, BenchError
from bench.common.proxies import Kind, Proxy
from bench.common.stage import Stage, arguments, chosen, perform, set_up
from bench.common.tables import median, ratio, table
from bench.relay import WITHIN, Case

CONNECTIONS = 40
CASES = [Case(*case) for case in product((False, True), (128, 4096), (8,))]


def two(plan: confs.Plan) -> str:
    return confs.edge(plan).replace("\n  workers: 1\n", "\n  workers: 2\n")


def two_threads(plan: confs.Plan) -> str:
    return confs.haproxy(plan).replace("\n  nbthread 1\n", "\n  nbthread 2\n")


KINDS = {
    "one": replace(proxies.KINDS["edge"], cores=ANY_CORE),
    "two": Kind("sbc.yaml", two, proxies.edge, cores=ANY_CORE),
    "haproxy-one": replace(proxies.KINDS["haproxy"], cores=ANY_CORE),
    "haproxy-two": Kind("haproxy.cfg", two_threads, proxies.haproxy, cores=ANY_CORE),
}
PAIRS = (("one", "two"), ("haproxy-one", "haproxy-two"))


class Crew(Stage):
    kinds = KINDS


def measure(here: Stage, proxy: Proxy, case: Case, count: int) -> dict[str, float]:
    """CPU microseconds per echoed message, and messages a second."""
    before = proxy.cpu()
    done = here.load.ask(do="echo", set=proxy.url(case.secure), size=case.size, tokens=case.in_flight,
                         count=count, within=WITHIN)
    if done["count"] < count:
        raise BenchError(f"{proxy.name} echoed {done['count']} of {count} messages in {WITHIN} s")
    return {"us": (proxy.cpu() - before) / done["count"] * 1e6, "a_second": done["count"] / done["seconds"]}


def row(case: str, of: dict[str, list[dict[str, float]]], one: str, both: str) -> list[Any]:
    def samples(name: str, what: str) -> list[float]:
        return [sample[what] for sample in of[name]]

    return [case, both.removesuffix("-two") if "-" in both else "edge",
            median(samples(one, "us")), median(samples(both, "us")),
            *(ratio(samples(both, what), samples(one, what)) for what in ("us", "a_second"))]


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    number, count = (2, 4000) if options.quick else (options.rounds, 15000)
    samples: dict[str, dict[str, list[dict[str, float]]]] = {}
    with set_up(Crew) as here:
        started = here.start(chosen(options, *KINDS, kinds=KINDS))
        for proxy, secure in product(started, (False, True)):
            here.open(proxy, secure, CONNECTIONS)
        for case in CASES:
            of = samples[str(case)] = {proxy.name: [] for proxy in started}
            for turn in range(number + 1):
                for proxy in started if turn % 2 else reversed(started):
                    found = measure(here, proxy, case, count if turn else count // 4)
                    if turn:  # the first round warms up
                        of[proxy.name].append(found)
    text = table(f"One worker and two, {CONNECTIONS} connections, medians of {number} rounds of {count:,}",
                 ["", "", "us, one", "us, two", "us two/one", "a second two/one"],
                 [row(case, of, *pair) for case, of in samples.items() for pair in PAIRS if set(pair) <= set(of)])
    return text, {"connections": CONNECTIONS, "rounds": number, "messages": count, "workers": samples}


def main() -> None:
    options = arguments("What several workers cost, and bring.",
                        lambda parser: parser.add_argument("--rounds", type=int, default=7,
                                                           help="interleaved rounds (default 7)"),
                        peers=KINDS)
    perform("workers", options, play)


if __name__ == "__main__":
    main()
