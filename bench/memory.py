"""Memory of an idle session, both legs: growth of the proxy's memory over many sessions, divided by their number.

Each session exchanges one message before it is left idle. The baseline is taken after a few sessions have come and
gone, so that what a proxy sets up once is not charged to the sessions.
"""

import argparse
import time
from itertools import product
from typing import Any

from bench.common.proxies import PEERS, Proxy
from bench.common.stage import Stage, arguments, chosen, perform, stage
from bench.common.tables import table

WARM_UP = 64
SETTLED = 1.0
"""Seconds of idleness before memory is read."""
MESSAGE = 128


def growth(here: Stage, proxy: Proxy, secure: bool, sessions: int) -> dict[str, float]:
    """KiB for each session, in RSS, PSS and USS."""
    _exchange(here, proxy, secure, WARM_UP)
    here.load.ask(do="close", set=proxy.url(secure))
    time.sleep(SETTLED)
    before = proxy.memory()
    _exchange(here, proxy, secure, sessions)
    time.sleep(SETTLED)
    after = proxy.memory()
    here.load.ask(do="close", set=proxy.url(secure))
    return {kind: (after[kind] - before[kind]) / sessions / 1024 for kind in before}


def _exchange(here: Stage, proxy: Proxy, secure: bool, sessions: int) -> None:
    name = here.open(proxy, secure, sessions)
    # Few at a time: what counts is an idle session, not the buffers of a burst.
    here.load.ask(do="spread", set=name, size=MESSAGE, tokens=8, count=sessions, within=60)


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    sessions = 300 if options.quick else options.sessions
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in chosen(options, "edge", *PEERS):
        # A process of its own for each case: memory freed by one case would hide the growth of the next.
        for secure in (False, True):
            with stage() as here:
                if proxy := here.start_one(name):
                    found.setdefault(name, {})["TLS" if secure else "plain"] = growth(here, proxy, secure, sessions)
    text = table(f"Proxy memory per idle session, both legs, KiB, over {sessions:,} sessions",
                 ["proxy", *(f"{leg} {kind}" for leg, kind in product(("plain", "TLS"), ("RSS", "PSS", "USS")))],
                 [[name, *(of[leg][kind] for leg, kind in product(("plain", "TLS"), ("rss", "pss", "uss")))]
                  for name, of in found.items()])
    return text, {"sessions": sessions, "kib_per_idle_session": found}


def main() -> None:
    options = arguments("Proxy memory per idle session.", lambda parser: parser.add_argument(
        "--sessions", type=int, default=2000, help="idle sessions (default 2000)"))
    perform("memory", options, play)


if __name__ == "__main__":
    main()
