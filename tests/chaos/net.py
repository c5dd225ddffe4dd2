"""Hosts on one network: a namespace each, and a bridge between them; the way between any two can be cut, and healed.

A cut is a wrong neighbour: what one host sends the other goes to a hardware address that nobody has, and is lost
without a word, as on a network that is torn apart. Root is needed.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyroute2 import NetlinkError, NetNS, netns

from tests.support.nodes import ROOT

NETWORK = "10.204.0"
NOBODY = "02:00:00:00:ff:ff"
PERMANENT = 0x80
"""NUD_PERMANENT: the kernel neither asks for such a neighbour nor forgets it."""


class Net:
    """The hosts by their names; `watcher` is that of the test itself, to which no way is ever cut."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = {name: f"{NETWORK}.{number}" for number, name in enumerate(("watcher", *hosts), 1)}
        self._prefix = f"sbc-chaos-{os.getpid()}"
        self._spaces: dict[str, NetNS] = {}
        self._devices: dict[str, int] = {}
        self._cuts: dict[tuple[str, str], int] = {}
        """How many faults at the time cut the way from one to another."""
        # pyroute2 has an event loop of its own, which cannot run in the thread of another one.
        self._thread = ThreadPoolExecutor(1)

    def build(self) -> None:
        """Make them, and enter that of the watcher. Raises NetlinkError or OSError without the right to."""
        self._thread.submit(self._build).result()
        netns.pushns(self._space("watcher"))

    def _build(self) -> None:
        for name in ("hub", *self.hosts):
            netns.create(self._space(name))
            self._spaces[name] = NetNS(self._space(name))
        hub = self._spaces["hub"]
        hub.link("add", ifname="bridge", kind="bridge")
        bridge = hub.link_lookup(ifname="bridge")[0]
        hub.link("set", index=bridge, state="up")
        for name, address in self.hosts.items():
            space = self._spaces[name]
            hub.link("add", ifname=name, kind="veth", peer={"ifname": "net", "net_ns_fd": self._space(name)})
            hub.link("set", index=hub.link_lookup(ifname=name)[0], state="up", master=bridge)
            device = self._devices[name] = space.link_lookup(ifname="net")[0]
            space.addr("add", index=device, address=address, prefixlen=24)
            for index in (space.link_lookup(ifname="lo")[0], device):
                space.link("set", index=index, state="up")

    def start(self, host: str, command: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
        """A process of that host's."""
        netns.pushns(self._space(host))
        try:
            with log.open("ab") as said:
                return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                        env={**os.environ, "PYTHONUNBUFFERED": "1"})
        finally:
            netns.popns()

    def cut(self, one: str, other: str) -> None:
        """What `one` says to `other` is lost. The other direction is another cut."""
        self._cuts[one, other] = self._cuts.get((one, other), 0) + 1
        self._thread.submit(self._spaces[one].neigh, "replace", dst=self.hosts[other], lladdr=NOBODY,
                            ifindex=self._devices[one], state=PERMANENT).result()

    def heal(self, one: str, other: str) -> None:
        """Once for each cut."""
        self._cuts[one, other] -= 1
        if self._cuts[one, other] == 0:
            with contextlib.suppress(NetlinkError):
                self._thread.submit(self._spaces[one].neigh, "del", dst=self.hosts[other],
                                    ifindex=self._devices[one]).result()

    def tear_down(self) -> None:
        """Leave the watcher's, and nothing behind."""
        with contextlib.suppress(IndexError):
            netns.popns()
        for name, space in self._spaces.items():
            self._thread.submit(space.close).result()
            with contextlib.suppress(OSError):
                netns.remove(self._space(name))
        self._thread.shutdown()

    def _space(self, host: str) -> str:
        return f"{self._prefix}-{host}"
