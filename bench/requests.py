"""Proxy CPU per HTTP request: client -> proxy -> node -> proxy -> client, pinned by a header to one of two nodes.

h2load asks as fast as answers come; each of its processes is one session on several connections. Only the proxy's own
CPU time counts, between two moments of steady load; how many requests it served in between, the nodes say.
"""

import argparse
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from bench.common.processes import LOAD_CORES, BenchError, Child
from bench.common.proxies import Proxy, found
from bench.common.stage import arguments, chosen, perform
from bench.common.tables import median, ratio, table
from bench.common.web import KINDS, WebScene, fields, web_stage

SESSIONS = 4
CONNECTIONS = {"HTTP/1.1": 5, "HTTP/2": 2}
"""Of each session."""
IN_FLIGHT = {"HTTP/1.1": 1, "HTTP/2": 8}
"""On each connection."""
TRIES = 5
WARM = 0.3
"""Seconds until the load is steady."""
BODY = b'{"model": "m", "input": "%s", "stream": false}' % (b"0123456789" * 15)
USUAL = ("edge", "haproxy", "nginx", "envoy", "bare")


@dataclass(frozen=True, slots=True)
class Case:
    version: str
    secure: bool
    method: str = "GET"

    def __str__(self) -> str:
        return f"{self.version} {'TLS' if self.secure else 'plain'} {self.method}"

    def served_by(self, name: str) -> bool:
        """Whether this proxy can do it: the bare one has no HTTP/2, this nginx none on a port with HTTP/1.1."""
        return self.version == "HTTP/1.1" or (name != "bare" and (name != "nginx" or self.secure))


CASES = [Case("HTTP/1.1", False), Case("HTTP/1.1", False, "POST"), Case("HTTP/1.1", True), Case("HTTP/2", False),
         Case("HTTP/2", True)]
Samples = dict[Case, dict[str, list[float]]]


def load(here: WebScene, proxy: Proxy, case: Case, seconds: float) -> list[Child]:
    """Start the load, for so many seconds."""
    port = proxy.plan.secure if case.secure else proxy.plan.plain
    argv = [found(shutil.which("h2load"), "h2load (Debian package nghttp2-client)"), "-D", f"{seconds * 1000:.0f}ms",
            "-c", str(CONNECTIONS[case.version]), "-m", str(IN_FLIGHT[case.version]),
            "--tls13-ciphers=TLS_AES_256_GCM_SHA384", *(["--h1"] if case.version == "HTTP/1.1" else [])]
    if case.method == "POST":
        file = here.folder / "body.json"
        file.write_bytes(BODY)
        argv += ["-d", str(file)]
    url = f"{'https' if case.secure else 'http'}://localhost:{port}/v1/answer"
    loads = []
    for session in range(SESSIONS):
        headers = [f"-H{name}: {value}" for name, value in fields(f"s{session}")]
        loads.append(Child("h2load", [*argv, *headers, url], here.folder / f"h2load-{session}.log", cores=LOAD_CORES))
    return loads


def measure(here: WebScene, proxy: Proxy, case: Case, seconds: float) -> float:
    """CPU microseconds per request."""
    for _ in range(TRIES):
        used = measured(here, proxy, case, seconds)
        if used is not None:
            return used
    raise BenchError(f"{proxy.name}, {case}: h2load does not end")


def measured(here: WebScene, proxy: Proxy, case: Case, seconds: float) -> float | None:
    """The same; None: a load did not end. One that has to connect again (a connection has had its thousand requests)
    in the moment in which its time is over goes on for ever."""
    loads = load(here, proxy, case, WARM + seconds + 0.2)
    try:
        time.sleep(WARM)
        served, used = here.served("requests"), proxy.cpu()
        time.sleep(seconds)
        used, served = proxy.cpu() - used, here.served("requests") - served
        for child in loads:
            child.process.wait(seconds + 5)
    except subprocess.TimeoutExpired:
        return None
    finally:
        for child in loads:
            child.stop()
    check(proxy, case, [child.log.read_text() for child in loads])
    return used / served * 1e6


def check(proxy: Proxy, case: Case, said: list[str]) -> None:
    """Every request must have been answered, and well. Raises BenchError."""
    for text in said:
        # At the end of its time h2load may have the head of an answer and not yet the rest.
        if not re.search(r"[1-9]\d* succeeded, 0 failed, 0 errored, 0 timeout", text) or not re.search(
                r"[1-9]\d* 2xx, 0 3xx, 0 4xx, 0 5xx", text):
            lines = [line for line in text.splitlines() if line.startswith(("requests:", "status codes:"))]
            raise BenchError(f"{proxy.name}, {case}: {'; '.join(lines) or text[-300:]}")


def rounds(here: WebScene, started: list[Proxy], number: int, seconds: float) -> Samples:
    """Interleaved rounds; the order changes from round to round."""
    samples: Samples = {}
    for case in CASES:
        able = [proxy for proxy in started if case.served_by(proxy.name)]
        of = samples[case] = {proxy.name: [] for proxy in able}
        for proxy in able:
            measure(here, proxy, case, seconds / 3)
        for turn in range(number):
            first = turn % max(1, len(able))
            for proxy in able[first:] + able[:first]:
                of[proxy.name].append(measure(here, proxy, case, seconds))
    return samples


def rows(samples: Samples, names: list[str]) -> list[list[Any]]:
    """One row a case: the medians, then the ratios of the edge to its peers."""
    edges = [name for name in names if name.startswith("edge")]
    return [[str(case), *(median(of.get(name, ())) for name in names),
             *(ratio(of[edge], of[peer]) for edge in edges for peer in ("haproxy", "envoy") if peer in of),
             *(ratio(of[edge], of["edge"]) for edge in edges[1:])]
            for case, of in samples.items()]


def head(names: list[str]) -> list[str]:
    edges = [name for name in names if name.startswith("edge")]
    return ["us CPU per request", *names,
            *(f"{edge}/{peer}" for edge in edges for peer in ("haproxy", "envoy") if peer in names),
            *(f"{edge}/edge" for edge in edges[1:])]


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    number, seconds = (1, 0.5) if options.quick else (options.rounds, 0.8)
    usual = (USUAL[0], *(("edge-pure",) if options.pure else ()), *USUAL[1:])
    with web_stage() as here:
        started = here.start(chosen(options, *usual, kinds=KINDS))
        samples = rounds(here, started, number, seconds)
    names = [proxy.name for proxy in started]
    text = table(f"Proxy CPU per request, {SESSIONS} sessions, medians of {number} rounds of {seconds:g} s",
                 head(names), rows(samples, names))
    figures = {str(case): {name: [round(one, 3) for one in of] for name, of in by.items()}
               for case, by in samples.items()}
    return text, {"sessions": SESSIONS, "connections": CONNECTIONS, "in_flight": IN_FLIGHT, "rounds": number,
                  "seconds": seconds, "us_cpu_per_request": figures}


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this bench alone."""
    parser.add_argument("--pure", action="store_true", help="the edge without its compiled parts, too")
    parser.add_argument("--rounds", type=int, default=4, help="interleaved rounds (default 4)")


def main() -> None:
    options = arguments("Proxy CPU per HTTP request.", more, peers=KINDS)
    perform("requests", options, play)


if __name__ == "__main__":
    main()
