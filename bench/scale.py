"""Does a message cost more when more sessions are open? CPU per message over 100 and over 5,000 open sessions.

The number of messages is the same; only the number of sessions over which they walk differs. Two instances of each
proxy, one with few sessions and one with many, take turns, in two ways: at an even rate, as a fleet of sessions
produces it, and as fast as 50 in flight come back, where with few sessions everything stays in the caches.
"""

import argparse
from typing import Any

from bench.common.processes import BenchError
from bench.common.proxies import Proxy
from bench.common.stage import Stage, arguments, chosen, perform, stage
from bench.common.tables import median, ratio, table

FEW = 100
IN_FLIGHT = 50
RATE = 4000
"""Messages a second of the even rate."""
MESSAGE = 128
WITHIN = 15.0
WAYS: dict[str, dict[str, Any]] = {
    f"{RATE:,}/s": {"do": "pace", "rate": RATE},
    f"{IN_FLIGHT} in flight": {"do": "spread", "tokens": IN_FLIGHT},
}
Samples = dict[int, list[float]]


def measure(here: Stage, proxy: Proxy, way: str, count: int) -> float:
    """CPU microseconds per echoed message."""
    before = proxy.cpu()
    done = here.load.ask(set=proxy.url(False), size=MESSAGE, count=count, within=WITHIN, **WAYS[way])
    if done["count"] < count:
        raise BenchError(f"{proxy.name} echoed {done['count']} of {count} messages in {WITHIN} s")
    return (proxy.cpu() - before) / done["count"] * 1e6


def compare(name: str, number: int, count: int, many: int) -> dict[str, Samples] | None:
    """Samples over few and over many sessions of one proxy, each way; None if it cannot be started."""
    samples: dict[str, Samples] = {way: {FEW: [], many: []} for way in WAYS}
    with stage() as here:
        instances: dict[int, Proxy] = {}
        for sessions in (FEW, many):
            proxy = here.start_one(name, f"with-{sessions}")
            if proxy is None:
                return None
            here.open(proxy, False, sessions)
            instances[sessions] = proxy
        for way, of in samples.items():
            for sessions in of:
                measure(here, instances[sessions], way, max(count // 4, sessions))
            for turn in range(number):
                for sessions in sorted(of, reverse=bool(turn % 2)):
                    of[sessions].append(measure(here, instances[sessions], way, count))
    return samples


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    number, count, many = (2, 4000, 1000) if options.quick else (options.rounds, 15000, options.sessions)
    found = {name: samples for name in chosen(options, "edge", "haproxy", "envoy")
             if (samples := compare(name, number, count, many))}
    text = table(f"Proxy CPU per message, medians of {number} rounds of {count:,}",
                 ["us CPU per echo", "messages", f"{FEW:,} sessions", f"{many:,} sessions", "ratio"],
                 [[name, way, median(of[FEW]), median(of[many]), ratio(of[many], of[FEW])]
                  for name, ways in found.items() for way, of in ways.items()])
    return text, {"rounds": number, "messages": count, "us_cpu_per_echo": found}


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--sessions", type=int, default=5000, help="how many are many (default 5000)")


def main() -> None:
    options = arguments("Proxy CPU per message at few and at many open sessions.", more)
    perform("scale", options, play)


if __name__ == "__main__":
    main()
