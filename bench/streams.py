"""Proxy CPU per server-sent event: node -> proxy -> client, 200 streams over TLS HTTP/2, at an even rate.

The nodes send over HTTP/1.1, each stream in chunks of one event. What counts is the proxy's CPU time between two
moments and the events that the client got in between, every one of them checked. A proxy that has no more than its core
sends less often than it is told to, and so at less cost an event: therefore the rate is lowered for all until each of
them has CPU to spare.
"""

import argparse
import sys
import time
from typing import Any

from bench.common.processes import BenchError
from bench.common.proxies import Proxy
from bench.common.stage import arguments, chosen, perform
from bench.common.tables import median, ratio, table
from bench.common.web import STREAM_KINDS, StreamScene, stream_stage

STREAMS = 200
CONNECTIONS = 4
RATE = 100
"""Events a second on each stream."""
BUSY = 0.85
"""Share of its core that a proxy may use if its figure is to mean something."""
LEAST = 0.9
"""Share of the events that have to arrive."""
WARM = 0.3
SILENCE = 0.1
"""Seconds until the rate is steady, and until what is under way has arrived."""
USUAL = ("edge", "edge-opaque", "edge-h2", "haproxy", "nginx", "envoy", "caddy")
Samples = dict[str, list[float]]


def open_streams(here: StreamScene, proxy: Proxy) -> None:
    """The streams of one proxy; they are silent until it is its turn."""
    url = f"https://localhost:{proxy.plan.secure}"
    here.readers.ask(do="open", set=proxy.name, url=url, ca=str(here.certificate.authority), connections=CONNECTIONS)
    here.readers.ask(do="add", set=proxy.name, url=url, streams=STREAMS, path=f"/events?set={proxy.name}", within=20)


def measure(here: StreamScene, proxy: Proxy, rate: float, seconds: float) -> tuple[float, float]:
    """CPU microseconds per event, and the share of its core that the proxy used."""
    name = proxy.name
    here.talk(name, rate)
    time.sleep(WARM)
    before, used, began = here.readers.ask(do="count", set=name), proxy.cpu(), time.perf_counter()
    time.sleep(seconds)
    after, used, took = here.readers.ask(do="count", set=name), proxy.cpu() - used, time.perf_counter() - began
    here.talk("", 0)
    time.sleep(SILENCE)
    if after["faults"]:
        raise BenchError(f"{name}, {rate:g} events a second: {after['faults']}")
    events = after["events"] - before["events"]
    if events < LEAST * rate * STREAMS * took and used / took < BUSY:
        raise BenchError(f"{name}: {events} events in {took:.1f} s: the load is not steady")
    return used / max(1, events) * 1e6, used / took


def bearable(here: StreamScene, started: list[Proxy], rate: float) -> float:
    """The rate, or as much less as all need."""
    for proxy in started:
        while (share := measure(here, proxy, rate, 0.7)[1]) > BUSY:
            rate /= 2
            print(f"{proxy.name} uses {share:.0%} of its core: {rate:g} events a second for all", file=sys.stderr)
    return rate


def rounds(here: StreamScene, started: list[Proxy], rate: float, number: int, seconds: float) -> Samples:
    """Interleaved rounds; the order changes from round to round."""
    of: Samples = {proxy.name: [] for proxy in started}
    for turn in range(number):
        first = turn % len(started)
        for proxy in started[first:] + started[:first]:
            of[proxy.name].append(measure(here, proxy, rate, seconds)[0])
    return of


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    number, seconds = (1, 0.7) if options.quick else (options.rounds, 1.2)
    with stream_stage() as here:
        started = here.start(chosen(options, *USUAL, kinds=STREAM_KINDS))
        for proxy in started:
            open_streams(here, proxy)
        rate = bearable(here, started, options.rate)
        samples = rounds(here, started, rate, number, seconds)
    peers = ("haproxy", "envoy", "caddy")
    text = table(f"Proxy CPU per event, {STREAMS} streams of {rate:g} events a second over TLS HTTP/2, medians of "
                 f"{number} rounds of {seconds:g} s", ["proxy", "us CPU per event", *(f"to {peer}" for peer in peers)],
                 [[name, median(of), *(ratio(of, samples.get(peer, ())) for peer in peers)]
                  for name, of in samples.items()])
    return text, {"streams": STREAMS, "connections": CONNECTIONS, "rounds": number, "seconds": seconds, "rate": rate,
                  "asked_rate": options.rate,
                  "us_cpu_per_event": {name: [round(one, 3) for one in of] for name, of in samples.items()}}


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--rounds", type=int, default=6, help="interleaved rounds (default 6)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"events a second on each stream (default {RATE})")


def main() -> None:
    options = arguments("Proxy CPU per server-sent event.", more, peers=STREAM_KINDS)
    perform("streams", options, play)


if __name__ == "__main__":
    main()
