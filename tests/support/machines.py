"""Machines on one network: a namespace for each edge and its warden, and one more with the bridge between them.

In that one the test itself is for as long as it lasts, with Redis, nodes and clients: what they know of their
neighbours is what a router would. Root is needed.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pyroute2 import IPRoute, NetNS, netns

from tests.support.nursery import ROOT

HERE = "10.208.0.1"
SHARED = "10.208.0.10"
ADMIN = 9070
PORT = 8080


SPARE = """
import sys
import sbc.kernel.process
from sbc.cli.main import main
print(flush=True)
sys.stdin.readline()
sys.exit(main())
"""
"""A process that has loaded all that a warden needs, says so with a line, and begins when it hears one."""


class Machine:
    """One of them: `sbc run` and `sbc kernel` in a namespace of their own."""

    def __init__(self, name: str, number: int, directory: Path) -> None:
        self.name, self.address = name, f"10.208.0.{number}"
        self.space = f"sbc-{name}-{os.getpid()}"
        self.directory = directory / name
        self.directory.mkdir()
        self.file, self.socket = self.directory / "sbc.yaml", self.directory / "kernel.sock"
        self.edge: subprocess.Popen[bytes] | None = None
        self.warden: subprocess.Popen[bytes] | None = None
        self._spares: list[subprocess.Popen[bytes]] = []
        self.link = ""
        """Its Ethernet address."""

    def build(self, network: IPRoute) -> None:
        netns.create(self.space)
        network.link("add", ifname=f"to-{self.name}", kind="veth", peer={"ifname": "eth0", "net_ns_fd": self.space})
        network.link("set", index=_index(network, f"to-{self.name}"), master=_index(network, "bridge"), state="up")
        with NetNS(self.space) as kernel:
            index = _index(kernel, "eth0")
            kernel.addr("add", index=index, address=self.address, prefixlen=24)
            for device in ("lo", "eth0"):
                kernel.link("set", index=_index(kernel, device), state="up")
            self.link = kernel.get_links(index)[0].get_attr("IFLA_ADDRESS")

    def configure(self, tree: Mapping[str, Any]) -> None:
        self.file.write_text(yaml.safe_dump(dict(tree)))

    def start_edge(self) -> None:
        self.edge = self._start("edge", "run", "-c", str(self.file))

    def start_warden(self) -> None:
        self.warden = self._start("warden", "kernel", "--socket", str(self.socket))

    async def spare_warden(self) -> Callable[[], None]:
        """One that has only to be let begin, by this: how long Python takes to start is none of its affair."""
        spare = self._spawn("warden", "-c", SPARE, "kernel", "--socket", str(self.socket), pipes=subprocess.PIPE)
        assert spare.stdin is not None and spare.stdout is not None
        self._spares.append(spare)
        await asyncio.to_thread(spare.stdout.readline)

        def begin() -> None:
            assert spare.stdin is not None
            self.warden = spare
            spare.stdin.close()
        return begin

    def _start(self, what: str, *arguments: str) -> "subprocess.Popen[bytes]":
        return self._spawn(what, "-m", "sbc", *arguments)

    def _spawn(self, what: str, *arguments: str, pipes: int | None = None) -> "subprocess.Popen[bytes]":
        netns.pushns(self.space)
        try:
            with (self.directory / f"{what}.log").open("ab") as log:
                return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdin=pipes or subprocess.DEVNULL,
                                        stdout=pipes or log, stderr=log)
        finally:
            netns.popns()

    def told(self, event: str) -> int:
        """How often its edge or its warden has told of an event."""
        return sum(file.read_text(errors="replace").count(f'"event":"{event}"')
                   for file in self.directory.glob("*.log"))

    def log(self) -> str:
        return "\n".join(f"--- {self.name} {file.name}\n{file.read_text(errors='replace')[-4000:]}"
                         for file in sorted(self.directory.glob("*.log")))

    def tear_down(self) -> None:
        for process in (self.edge, self.warden, *self._spares):
            if process is not None:
                process.kill()
                process.wait()
        with contextlib.suppress(OSError):
            netns.remove(self.space)


class Network:
    """The bridge, and whom it leads to."""

    def __init__(self, directory: Path, *names: str) -> None:
        self._space = f"sbc-bridge-{os.getpid()}"
        self.machines = [Machine(name, number, directory) for number, name in enumerate(names, 2)]
        self._entered = False

    def build(self) -> None:
        """Make all, and enter it. Raises NetlinkError or OSError without the right to."""
        netns.create(self._space)
        netns.pushns(self._space)
        self._entered = True
        with IPRoute() as network:
            network.link("add", ifname="bridge", kind="bridge")
            bridge = _index(network, "bridge")
            network.addr("add", index=bridge, address=HERE, prefixlen=24)
            for device in ("lo", "bridge"):
                network.link("set", index=_index(network, device), state="up")
            for machine in self.machines:
                machine.build(network)

    async def cut(self, machine: Machine, state: str = "down") -> None:
        """Nothing passes any more between a machine and the rest."""
        await asyncio.to_thread(self._switch, f"to-{machine.name}", state)

    async def heal(self, machine: Machine) -> None:
        await self.cut(machine, "up")

    def _switch(self, device: str, state: str) -> None:
        with IPRoute() as network:
            network.link("set", index=_index(network, device), state=state)

    async def neighbour(self, address: str = SHARED) -> str | None:
        """Whom packets to an address are sent to from here, by the Ethernet address."""
        return await asyncio.to_thread(self._neighbour, address)

    def _neighbour(self, address: str) -> str | None:
        with IPRoute() as network:
            found = [entry.get_attr("NDA_LLADDR") for entry in network.get_neighbours(dst=address)]
        return found[0] if found else None

    def tear_down(self) -> None:
        for machine in self.machines:
            machine.tear_down()
        if self._entered:
            netns.popns()
        with contextlib.suppress(OSError):
            netns.remove(self._space)


class Watch(threading.Thread):
    """Looks all the time which machines have the address."""

    def __init__(self, network: Network) -> None:
        super().__init__(daemon=True)
        self._network = network
        self._over = False
        self.seen: list[tuple[float, tuple[str, ...]]] = []
        """Since when which of them had it."""

    def holds(self, machine: Machine) -> bool:
        return bool(self.seen) and machine.name in self.seen[-1][1]

    def run(self) -> None:
        with contextlib.ExitStack() as stack:
            kernels = {machine.name: stack.enter_context(NetNS(machine.space)) for machine in self._network.machines}
            indices = {name: _index(kernel, "eth0") for name, kernel in kernels.items()}

            def has(name: str) -> bool:
                return any(found.get_attr("IFA_ADDRESS") == SHARED
                           for found in kernels[name].get_addr(index=indices[name]))
            while not self._over:
                now = time.monotonic()
                holders = tuple(filter(has, kernels))
                if len(holders) > 1:  # or it has moved between two looks
                    holders = tuple(filter(has, holders))
                if not self.seen or self.seen[-1][1] != holders:
                    self.seen.append((now, holders))
                time.sleep(0.01)

    def end(self) -> None:
        self._over = True
        self.join()


def _index(network: IPRoute, device: str) -> int:
    found: int = network.link_lookup(ifname=device)[0]
    return found
