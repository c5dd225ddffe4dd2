"""What HTTP/3 costs a proxy: CPU per request, per server-sent event and per handshake, memory per idle connection.

client -> HTTP/3 -> proxy -> HTTP/1.1 -> node, pinned by a header to one of two nodes. Only the proxy's own CPU time
counts, between two moments of steady load. `edge` has the engine qh3, `edge-aioquic` the other one.

The rate of events is the same for all. A proxy that has no more than its core sends less often than it is told to, and
so at less cost an event: therefore the rate is lowered for all until each of those whose figures are compared has CPU
to spare; `edge-aioquic` is measured at a rate of its own.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bench.common.processes import BenchError
from bench.common.proxies import Kind, Proxy
from bench.common.quic import KINDS, PEERS, STREAM_KINDS, QuicScene
from bench.common.stage import arguments, chosen, perform, set_up
from bench.common.tables import median, ratio, table

SESSIONS = 4
CONNECTIONS = 8
IN_FLIGHT = 8
"""Requests under way on each connection."""
STREAMS = 200
STREAM_CONNECTIONS = 4
RATE = 50
"""Events a second on each stream."""
PARALLEL = 8
"""Handshakes at a time."""
BUSY = 0.85
"""Share of its core that a proxy may use if its figure per event is to mean something."""
LEAST = 0.9
"""Share of the events that have to arrive."""
WARM = 0.3
BODY = '{"model": "m", "input": "%s", "stream": false}' % ("0123456789" * 15)
WARM_UP = 16
"""Connections that come and go before memory is measured."""
SETTLED = 1.5
"""Seconds of idleness before memory is read."""
TARGETS = ("envoy", "caddy")
Samples = dict[str, list[float]]
Measure = Callable[[QuicScene, Proxy, float], float]


def opened(here: QuicScene, proxy: Proxy, connections: int, *, asked: bool = True) -> None:
    """The connections of one proxy."""
    here.clients.ask(do="open", set=proxy.name, port=proxy.plan.secure, ca=str(here.certificate.authority),
                     connections=connections, asked=asked)


def sound(proxy: Proxy, said: Mapping[str, Any], what: str) -> None:
    """Nothing must have gone wrong. Raises BenchError."""
    if said["faults"]:
        raise BenchError(f"{proxy.name}, {what}: {said['faults']}")


def request(here: QuicScene, proxy: Proxy, seconds: float, body: str = "") -> float:
    """CPU microseconds per request."""
    ask = partial(here.clients.ask, set=proxy.name)
    # New connections in each round: the edge replaces one that has carried 10,000 requests.
    ask(do="close")
    opened(here, proxy, CONNECTIONS)
    ask(do="flood", port=proxy.plan.secure, sessions=SESSIONS, in_flight=IN_FLIGHT, body=body)
    time.sleep(WARM)
    served, used = here.served("requests"), proxy.cpu()
    time.sleep(seconds)
    used, served = proxy.cpu() - used, here.served("requests") - served
    ask(do="calm")
    time.sleep(0.1)
    sound(proxy, ask(do="count"), "requests")
    if not served:
        raise BenchError(f"{proxy.name}: no requests were served")
    return used / served * 1e6


def handshake(here: QuicScene, proxy: Proxy, seconds: float) -> float:
    """CPU microseconds per handshake, the connection's beginning and end included."""
    ask = partial(here.clients.ask, set=proxy.name)
    ask(do="shake", port=proxy.plan.secure, ca=str(here.certificate.authority), parallel=PARALLEL)
    time.sleep(WARM)
    shaken, used = int(ask(do="count")["handshakes"]), proxy.cpu()
    time.sleep(seconds)
    said, used = ask(do="count"), proxy.cpu() - used
    ask(do="calm")
    sound(proxy, said, "handshakes")
    return used / max(1, int(said["handshakes"]) - shaken) * 1e6


def event(here: QuicScene, proxy: Proxy, seconds: float, rate: float) -> tuple[float, float]:
    """CPU microseconds per event, and the share of its core that the proxy used."""
    ask = partial(here.clients.ask, set=proxy.name, do="count")
    here.talk(proxy.name, rate)
    time.sleep(WARM)
    before, used, began = ask(), proxy.cpu(), time.perf_counter()
    time.sleep(seconds)
    after, used, took = ask(), proxy.cpu() - used, time.perf_counter() - began
    here.talk("", 0)
    time.sleep(0.1)
    sound(proxy, after, f"{rate:g} events a second")
    events = after["events"] - before["events"]
    if events < LEAST * rate * STREAMS * took and used / took < BUSY:
        raise BenchError(f"{proxy.name}: {events} events in {took:.1f} s: the load is not steady")
    return used / max(1, events) * 1e6, used / took


def bearable(here: QuicScene, proxy: Proxy, rate: float) -> float:
    """The rate, or as much less as this proxy needs."""
    while (share := event(here, proxy, 0.7, rate)[1]) > BUSY:
        rate /= 2
        print(f"{proxy.name} uses {share:.0%} of its core: {rate:g} events a second", file=sys.stderr)
    return rate


def rounds(started: list[Proxy], number: int, measure: Callable[[Proxy], float]) -> Samples:
    """Interleaved rounds; the order changes from round to round."""
    of: Samples = {proxy.name: [] for proxy in started}
    for turn in range(number):
        first = turn % len(started)
        for proxy in started[first:] + started[:first]:
            of[proxy.name].append(measure(proxy))
    return of


def requests(options: argparse.Namespace, names: list[str]) -> dict[str, Samples]:
    """Requests and handshakes."""
    measures: dict[str, Measure] = {"GET": request, "POST": partial(request, body=BODY), "handshake": handshake}
    found = {}
    with set_up(partial(QuicScene, KINDS)) as here:
        started = here.start(names)
        for what, measure in measures.items():
            for proxy in started:
                measure(here, proxy, options.seconds / 3)
            found[what] = rounds(started, options.rounds,
                                 lambda proxy, measure=measure: measure(here, proxy, options.seconds))  # type: ignore[misc]
    return found


def events(options: argparse.Namespace, names: list[str]) -> tuple[Samples, dict[str, float]]:
    """Events, and the rate of each proxy."""
    with set_up(partial(QuicScene, STREAM_KINDS)) as here:
        started = here.start(names)
        for proxy in started:
            opened(here, proxy, STREAM_CONNECTIONS)
            here.clients.ask(do="add", set=proxy.name, port=proxy.plan.secure, streams=STREAMS,
                             path=f"/events?set={proxy.name}", within=20)
        rate = options.rate
        for proxy in started:
            if proxy.name != "edge-aioquic":
                rate = bearable(here, proxy, rate)
        rates = {proxy.name: bearable(here, proxy, rate) for proxy in started}
        return rounds(started, options.rounds,
                      lambda proxy: event(here, proxy, options.seconds, rates[proxy.name])[0]), rates


def idle(options: argparse.Namespace, names: list[str]) -> dict[str, dict[str, float]]:
    """KiB for each idle connection that has carried one request, in RSS, PSS and USS."""
    found = {}
    for name in names:
        # A process of its own for each: memory freed by one measure would hide the growth of the next.
        with set_up(partial(QuicScene, KINDS)) as here:
            if proxy := here.start_one(name):
                opened(here, proxy, WARM_UP)
                here.clients.ask(do="close", set=name)
                time.sleep(SETTLED)
                before = proxy.memory()
                opened(here, proxy, options.connections)
                time.sleep(SETTLED)
                after = proxy.memory()
                found[name] = {kind: (after[kind] - before[kind]) / options.connections / 1024 for kind in before}
    return found


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    if options.quick:
        options.rounds, options.seconds, options.connections = 1, 0.7, 100
    figures: dict[str, Any] = {"rounds": options.rounds, "seconds": options.seconds}
    usual = ("edge", "edge-aioquic", *PEERS)
    texts = []
    plain = [name for name in chosen(options, "edge", "edge-opaque", *usual[1:], kinds=STREAM_KINDS) if name in KINDS]
    if "requests" in options.parts:
        found = requests(options, plain)
        figures |= {"us_cpu": _rounded(found), "sessions": SESSIONS, "connections": CONNECTIONS, "in_flight": IN_FLIGHT}
        texts += [_drawn(f"Proxy CPU per {what} over HTTP/3", of) for what, of in found.items()]
    if "events" in options.parts:
        samples, rates = events(options, chosen(options, "edge", "edge-opaque", *usual[1:], kinds=STREAM_KINDS))
        figures |= {"us_cpu_per_event": _rounded({"event": samples})["event"], "rates": rates, "streams": STREAMS,
                    "asked_rate": options.rate}
        said = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
        texts.append(_drawn(f"Proxy CPU per event over HTTP/3, {STREAMS} streams; events a second on each: {said}",
                            samples))
    if "idle" in options.parts:
        memory = figures["kib_per_idle_connection"] = idle(options, plain)
        figures["idle_connections"] = options.connections
        texts.append(table(f"Proxy memory per idle HTTP/3 connection, KiB, of {options.connections}",
                           ["proxy", "RSS", "PSS", "USS"], [[name, *of.values()] for name, of in memory.items()]))
    return "\n".join(texts), figures


def _drawn(title: str, of: Samples) -> str:
    return table(title, ["proxy", "us CPU", *(f"to {peer}" for peer in TARGETS)],
                 [[name, median(found), *(ratio(found, of.get(peer, ())) for peer in TARGETS)]
                  for name, found in of.items()])


def _rounded(found: Mapping[str, Samples]) -> dict[str, Samples]:
    return {what: {name: [round(one, 2) for one in of] for name, of in by.items()} for what, by in found.items()}


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--rounds", type=int, default=4, help="interleaved rounds (default 4)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"events a second on each stream (default {RATE})")
    parser.add_argument("--connections", type=int, default=400, help="idle connections (default 400)")
    parser.add_argument("--parts", default="requests,events,idle", help="what to measure (default all: %(default)s)")
    parser.set_defaults(seconds=1.0)


def main() -> None:
    kinds: Mapping[str, Kind] = STREAM_KINDS
    perform("quic", arguments("What HTTP/3 costs a proxy.", more, peers=kinds), play)


if __name__ == "__main__":
    main()
