"""Memory of an idle HTTP/2 connection over TLS, and of an idle stream on it: growth of the proxy's memory over many.

A connection has carried one request before it is left idle. A stream is one of server-sent events that has been
answered and stays silent: it costs a proxy both of its sides, so it is measured with nodes that are spoken to in HTTP/2
(a stream on either side) and in HTTP/1.1 (a connection of its own on the node's side).
"""

import argparse
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bench.common import proxies, webconfs
from bench.common.proxies import Kind, Proxy
from bench.common.stage import arguments, chosen, perform, set_up
from bench.common.tables import table
from bench.common.web import KINDS, StreamScene

PER_CONNECTION = 50
"""Streams on each connection."""
WARM_UP = 2
"""Connections that come and go first, with ten streams each."""
SETTLED = 1.5
"""Seconds of idleness before memory is read."""

EDGES = ("edge", "edge-alone", "edge-sse")
"""With a session for each stream; without (the exchange stands alone); with one whose events can be asked for again."""


def kinds(h2c: bool) -> dict[str, Kind]:
    """The proxies, with nodes spoken to in HTTP/2 or in HTTP/1.1."""
    found = {
        "edge": Kind("sbc.yaml", partial(webconfs.edge, h2c=h2c), proxies.edge),
        "edge-alone": Kind("sbc.yaml", partial(webconfs.edge, h2c=h2c, keyed=False), proxies.edge),
        "edge-sse": Kind("sbc.yaml", partial(webconfs.edge, h2c=h2c, protocol="sse"), proxies.edge),
        "haproxy": Kind("haproxy.cfg", partial(webconfs.haproxy, h2c=h2c), proxies.haproxy),
        "envoy": Kind("envoy.yaml", partial(webconfs.envoy, h2c=h2c), proxies.envoy),
        "caddy": Kind("Caddyfile", partial(webconfs.caddy, h2c=h2c), KINDS["caddy"].argv),
    }
    return found if h2c else {**found, "nginx": KINDS["nginx"]}


class IdleScene(StreamScene):
    """The stage of this bench."""

    def __init__(self, known: Mapping[str, Kind], folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.kinds = known


def growth(here: IdleScene, proxy: Proxy, connections: int, streams: int) -> dict[str, float]:
    """KiB for each connection, in RSS, PSS and USS; with streams: for each of those, the connections not counted."""
    url = f"https://localhost:{proxy.plan.secure}"
    ask = partial(here.readers.ask, url=url)
    ask(do="open", set="warm", ca=str(here.certificate.authority), connections=WARM_UP)
    ask(do="add", set="warm", streams=WARM_UP * 10, path="/events?set=warm", within=30)
    here.readers.ask(do="close", set="warm")
    if streams:
        ask(do="open", set="idle", ca=str(here.certificate.authority), connections=connections)
    time.sleep(SETTLED)
    before = proxy.memory()
    if streams:
        ask(do="add", set="idle", streams=streams, path="/events?set=idle", within=30)
    else:
        ask(do="open", set="idle", ca=str(here.certificate.authority), connections=connections)
    time.sleep(SETTLED)
    after = proxy.memory()
    here.readers.ask(do="close", set="idle")
    return {kind: (after[kind] - before[kind]) / (streams or connections) / 1024 for kind in before}


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    connections, streams = (100, 500) if options.quick else (options.connections, options.streams)
    found: dict[str, dict[str, dict[str, float]]] = {"connection": {}, "stream, HTTP/2 node": {},
                                                     "stream, HTTP/1.1 node": {}}
    for what, of in found.items():
        known = kinds(h2c=what == "stream, HTTP/2 node")
        wanted = chosen(options, *known, kinds=kinds(h2c=False))
        # Without streams the edge's ways of seeing them make no difference.
        for name in [name for name in wanted if name in known and (what != "connection" or name not in EDGES[1:])]:
            # A process of its own for each: memory freed by one measure would hide the growth of the next.
            with set_up(partial(IdleScene, known)) as here:
                if proxy := here.start_one(name):
                    many = (streams // PER_CONNECTION, streams) if what != "connection" else (connections, 0)
                    of[name] = growth(here, proxy, *many)
    text = table(f"Proxy memory per idle connection (TLS, of {connections:,}) and idle stream (of {streams:,}), KiB",
                 ["RSS", *found], [[name, *(of.get(name, {}).get("rss") for of in found.values())]
                                   for name in kinds(h2c=False)])
    return text, {"connections": connections, "streams": streams, "kib": found}


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--connections", type=int, default=500, help="idle connections (default 500)")
    parser.add_argument("--streams", type=int, default=1500, help="idle streams (default 1500)")


def main() -> None:
    options = arguments("Proxy memory per idle HTTP/2 connection and stream.", more, peers=kinds(h2c=False))
    perform("idle", options, play)


if __name__ == "__main__":
    main()
