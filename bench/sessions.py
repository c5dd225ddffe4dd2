"""New sessions: open, one message echoed, close handshake. Proxy CPU per session, and what a core would sustain."""

import argparse
from itertools import product
from typing import Any

from bench.common.processes import BenchError
from bench.common.proxies import PEERS, Proxy
from bench.common.stage import Stage, arguments, chosen, perform, stage
from bench.common.tables import median, ratio, table

PARALLEL = 16
WITHIN = 30.0
MESSAGE = 128


def measure(here: Stage, proxy: Proxy, secure: bool, count: int) -> float:
    """CPU microseconds per session."""
    before = proxy.cpu()
    done = here.load.ask(do="sessions", url=proxy.url(secure), ca=str(here.certificate.authority), size=MESSAGE,
                         parallel=PARALLEL, count=count, within=WITHIN)
    if done["count"] < count:
        raise BenchError(f"{proxy.name} served {done['count']} of {count} sessions in {WITHIN} s")
    return (proxy.cpu() - before) / done["count"] * 1e6


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    number, plain_count, secure_count = (2, 200, 100) if options.quick else (options.rounds, 1500, 500)
    samples: dict[bool, dict[str, list[float]]] = {}
    with stage() as here:
        started = here.start(chosen(options, "edge", *PEERS))
        names = [proxy.name for proxy in started]
        for secure, count in ((False, plain_count), (True, secure_count)):
            of = samples[secure] = {name: [] for name in names}
            for proxy in started:
                measure(here, proxy, secure, count // 4)
            for turn, place in product(range(number), range(len(started))):
                proxy = started[(turn + place) % len(started)]
                of[proxy.name].append(measure(here, proxy, secure, count))
    text = table(f"New sessions (open, one echo, close), {PARALLEL} at a time, medians of {number} rounds",
                 ["proxy", "plain us CPU", "plain per s and core", "to haproxy", "TLS us CPU", "TLS per s and core",
                  "to haproxy"], [[name, *_figures(samples[False], name), *_figures(samples[True], name)]
                                  for name in names])
    return text, {"parallel": PARALLEL, "rounds": number, "us_cpu_per_session":
                  {"plain": samples[False], "TLS": samples[True]}}


def _figures(of: dict[str, list[float]], name: str) -> list[float | None]:
    cost = median(of[name])
    return [cost, cost and 1e6 / cost, ratio(of[name], of["haproxy"]) if "haproxy" in of else None]


def main() -> None:
    options = arguments("Proxy CPU per new session.", lambda parser: parser.add_argument(
        "--rounds", type=int, default=5, help="interleaved rounds (default 5)"))
    perform("sessions", options, play)


if __name__ == "__main__":
    main()
