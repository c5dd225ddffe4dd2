"""One chatty session beside 100 that speak as voice does: how much longer do those wait, and for how long at worst?

Each proxy carries 100 sessions that say 320 bytes every 20 ms and hear them again, first alone, then beside one session
that sends as fast as it is read: messages of 4 KiB, of 64 bytes, and requests, 64 at a time on one connection. Rounds
are interleaved; a ratio is the median of the round-by-round ratios of the flooded to the quiet run.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from bench.common import fairconfs
from bench.common.processes import BenchError
from bench.common.proxies import PEERS, Proxy
from bench.common.stage import Stage, arguments, chosen, perform, set_up
from bench.common.tables import median, ratio, table

VOICES = 100
FLOODS: tuple[int | str, ...] = (4096, 64, "requests")
QUIET = "quiet"
Samples = dict[str, dict[str, list[dict[str, float]]]]
"""By proxy and flood."""


class Fairness(Stage):
    """The echo node with the voices, and the flood with its own node."""

    kinds = fairconfs.KINDS

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.flood = self.worker("flood", "bench.flood")
        self.nodes = [*self.nodes, int(self.flood.ask(do="where")["port"])]
        self.voices = self.worker("voices", "bench.voices")


def measure(here: Fairness, proxy: Proxy, seconds: float, number: int) -> dict[str, dict[str, float]]:
    """Round trips of the voices alone and beside each flood, by flood."""
    here.voices.ask(do="open", url=proxy.url(False), n=VOICES)
    measured = {}
    for kind in (QUIET, *FLOODS):
        if kind != QUIET:
            here.flood.ask(do="begin", port=proxy.plan.plain, path=f"/flood/{number}", kind=kind)
        told = here.voices.ask(do="talk", seconds=seconds)
        told["flood"] = here.flood.ask(do="end")["a_second"] if kind != QUIET else 0.0
        measured[str(kind)] = told
    here.voices.ask(do="close")
    return measured


def rounds(here: Fairness, started: Sequence[Proxy], number: int, seconds: float) -> Samples:
    """Interleaved rounds; the order changes from round to round."""
    samples: Samples = {proxy.name: {str(kind): [] for kind in (QUIET, *FLOODS)} for proxy in started}
    for turn in range(number):
        for proxy in (*started[turn % len(started):], *started[:turn % len(started)]):
            for kind, told in measure(here, proxy, seconds, turn).items():
                samples[proxy.name][kind].append(told)
    return samples


def rows(samples: Samples) -> list[list[Any]]:
    """One row a proxy and flood: round trips in ms, and the ratio of the p99 to that of the quiet run."""
    found = []
    for proxy, of in samples.items():
        for kind, told in of.items():
            p99 = [one["p99"] for one in told]
            found.append([f"{proxy} {_name(kind)}",
                          *(median([one[key] for one in told]) for key in ("p50", "p99", "p999")),
                          None if kind == QUIET else ratio(p99, [one["p99"] for one in of[QUIET]]),
                          None if kind == QUIET else median([one["flood"] for one in told])])
    return found


def _name(kind: str) -> str:
    return f"{kind} B" if kind.isdigit() else kind


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    number, seconds = (1, 2.0) if options.quick else (options.rounds, 5.0)
    with set_up(Fairness) as here:
        started = here.start(chosen(options, "edge", *PEERS, kinds=fairconfs.KINDS))
        samples = rounds(here, started, number, seconds)
    if not samples:
        raise BenchError("nothing was measured")
    text = table(f"Round trips of {VOICES} voice-like sessions in ms, beside one flood; medians of {number} rounds of "
                 f"{seconds:g} s", ["ms", "p50", "p99", "p99.9", "p99/quiet", "flood a second"], rows(samples))
    return text, {"voices": VOICES, "rounds": number, "seconds": seconds, "samples": samples}


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")


def main() -> None:
    options = arguments("What one chatty session does to 100 others.", more, peers=fairconfs.KINDS)
    perform("fairness", options, play)


if __name__ == "__main__":
    main()
