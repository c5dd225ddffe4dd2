"""The edge as a process: its configuration, its ports, its admin door, its end."""

import asyncio
import itertools
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from sbc.runtime.clerk import INTERVAL
from tests.support.nodes import NodeProcess
from tests.support.nursery import Forked, start
from tests.support.wait import PATIENCE, STARTING, wait_until

Tree = dict[str, Any]

PROBE: Tree = {"path": "/healthz", "every": "200ms", "timeout": "3s", "fall": 2, "rise": 1}
"""On a busy machine a node that lives is late. One that is dead refuses the connection, and is down in no time."""
HURRIED: Tree = {"pools": {"tutors": {"probe": {"timeout": "300ms"}}}}
"""For tests in which a node stands still: changes to the configuration."""


SLICE = 250


def _own_ports() -> Iterator[int]:
    """The ports of a slice that nobody else on this machine takes: who is bound to its first port has it.

    Of all free ports several runs of tests side by side would take the same one now and then, between the moment it is
    found free and the moment its process listens on it. The slices are below the ports that the kernel gives to
    outgoing connections, one of which could come in between as well.
    """
    slices = [range(first, first + SLICE) for first in range(12_000, 32_000, SLICE)]
    random.shuffle(slices)
    for ports in slices:
        with socket.socket() as flag:
            try:
                flag.bind(("127.0.0.1", ports[0]))
            except OSError:
                continue
            yield from itertools.cycle(ports[1:])
    raise AssertionError("no slice of ports is free: are there runs of tests that were not ended?")


_PORTS = _own_ports()


def free_port() -> int:
    """A port of the loopback, TCP and UDP, that nobody has at the moment and no other run of tests will take."""
    return next(port for port in _PORTS if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Tree:
    """`base` with `changes` laid over it, mapping by mapping; lists and values are replaced; None removes a key."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


class Edge:
    """`sbc run` in `directory`, on free ports that stay the same when it is started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.admin, self.trunk = free_port(), free_port(), free_port()
        self.file, self.log_file = directory / "sbc.yaml", directory / "edge.log"
        self.url = f"ws://127.0.0.1:{self.port}/"
        self.trunk_url = f"ws://127.0.0.1:{self.trunk}/trunk"
        self._process: subprocess.Popen[bytes] | Forked | None = None

    def configure(self, nodes: list[NodeProcess], changes: Mapping[str, Any]) -> Tree:
        """Write the configuration: a pool of these nodes, quick probes in all, the defaults else, `changes` over it."""
        listed = [{"name": node.name, "url": f"http://127.0.0.1:{node.port}", "zone": node.zone or "z1"}
                  for node in nodes if not node.has_trunk]
        base: Tree = {
            "edge": {"name": "edge-t", "workers": 1, "store": "memory:",
                     "seal_keys": [{"id": "k1", "file": str(self.directory / "seal.key")}]},
            "admin": {"listen": f"127.0.0.1:{self.admin}"},
            "trunk": {"listen": f"127.0.0.1:{self.trunk}"},
            "listeners": [{"name": "plain", "listen": f"127.0.0.1:{self.port}", "transports": ["websocket"]}],
            "pools": {pool: {"probe": PROBE} for pool in changes.get("pools", ())} | {
                "tutors": {"nodes": listed, "probe": PROBE}},
            "agents": {"tutor": {"pool": "tutors", "continuity": "interactive", "migration": {"hold": "10s"}}},
            "policies": {"default": {"limits": {"sessions_per_principal": 100000}}},
            "routes": [{"match": {"path": "/"}, "agent": "tutor", "protocol": "opaque", "policy": "default"}],
        }
        tree = merged(base, changes)
        self.write(yaml.safe_dump(tree))
        return tree

    def write(self, text: str) -> None:
        """Replace the configuration file at once, as an editor would."""
        draft = self.file.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.file)

    def start(self) -> None:
        """Start it without waiting."""
        self._process = start([sys.executable, "-m", "sbc", "run", "-c", str(self.file)], self.log_file)

    async def ready(self) -> None:
        """Wait for /readyz."""
        async def asked() -> bool:
            assert self.running, f"the edge has ended:\n{self.log()[-8000:]}"
            try:
                return (await self.get("/readyz"))[0] == 200
            except (aiohttp.ClientError, OSError):
                return False
        await wait_until(asked, "/readyz is 200", STARTING)

    async def sees(self, *nodes: NodeProcess, state: str = "up") -> None:
        """Wait until these nodes are in `state` for the edge."""
        async def asked() -> bool:
            rows = await self.nodes()
            return all(rows.get(node.name, {}).get("state") == state for node in nodes)
        await wait_until(asked, f"nodes {[node.name for node in nodes]} are {state}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """What it said on stdout and stderr."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Harmless if it is gone already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self, patience: float = PATIENCE) -> int:
        """SIGTERM; the exit code. Raises TimeoutExpired, after a SIGKILL, if it does not end."""
        assert self._process is not None
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self._process.wait, patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    async def get(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        """Ask the admin door: status, and JSON or text."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=STARTING)) as http, http.request(
                method, f"http://127.0.0.1:{self.admin}{path}", json=body) as answer:
            return answer.status, await (answer.json() if "json" in answer.content_type else answer.text())

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Give the admin door an order."""
        return await self.get(path, "POST", body if body is not None else {})

    async def kept(self) -> None:
        """Wait until its store has all that was said so far, in every worker's.

        They are told everything in its order, and a revocation is answered once it is kept: one of nobody.
        """
        await asyncio.sleep(5 * INTERVAL)
        status, answer = await self.post("/api/v1/revocations", {"principal": "key:default/nobody", "seconds": 1})
        assert status == 201, answer

    async def nodes(self) -> dict[str, Tree]:
        """What the edge thinks of its nodes, by their short names."""
        _, answer = await self.get("/api/v1/nodes")
        rows = answer["nodes"] if isinstance(answer, dict) else answer
        return {str(row.get("id", row.get("node", row.get("name")))).rpartition("/")[2]: row for row in rows}

    async def sessions(self, query: str = "") -> list[Tree]:
        """The live dialogs."""
        _, answer = await self.get(f"/api/v1/sessions{query}")
        return list(answer["sessions"] if isinstance(answer, dict) else answer)

    async def session(self, key: str) -> Tree:
        """One dialog, by its plain id."""
        status, answer = await self.get(f"/api/v1/sessions/{key}")
        assert status == 200, answer
        return dict(answer)

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name which have these labels; 0.0 if there are none."""
        _, text = await self.get("/metrics")
        total = 0.0
        for line in text.splitlines():
            found = re.match(r"([a-zA-Z_:0-9]+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name:
                has = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                if labels.items() <= has.items():
                    total += float(found[3])
        return total
