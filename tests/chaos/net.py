"""Hosts on one network: a namespace each, and a bridge between them; the way between any two can be cut, and healed.

Some hosts roam: they have one of two addresses, and change to the other. A cut is a wrong neighbour: what one host
sends the other goes to a hardware address that nobody has, and is lost without a word, as on a network that is torn
apart. Root is needed.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyroute2 import NetlinkError, NetNS, netns

from tests.support.nursery import ROOT

NETWORK, ABROAD = "10.204.0", "10.204.1"
SHARED = f"{NETWORK}.200"
"""The address that edges share."""
LINK = 253
"""RT_SCOPE_LINK: what is there needs no gateway."""
NOBODY = "02:00:00:00:ff:ff"
PERMANENT = 0x80
"""NUD_PERMANENT: the kernel neither asks for such a neighbour nor forgets it."""


class Net:
    """The hosts by their names; `watcher` is that of the test itself, to which no way is ever cut."""

    def __init__(self, hosts: Sequence[str], roaming: Sequence[str]) -> None:
        self.hosts = {name: f"{NETWORK}.{number}" for number, name in enumerate(("watcher", *hosts), 1)}
        self.abroad = {name: self.hosts[name].replace(NETWORK, ABROAD) for name in roaming}
        """Their other addresses."""
        self._away: set[str] = set()
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
            for index in (space.link_lookup(ifname="lo")[0], device):
                space.link("set", index=index, state="up")
            # Of the first address of a network the others are aliases, which go with it: who roams has it in none.
            roams = name in self.abroad
            space.addr("add", index=device, address=address, prefixlen=32 if roams else 24)
            space.route("add", dst=f"{NETWORK if roams else ABROAD}.0/24", oif=device, scope=LINK)

    def start(self, host: str, command: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
        """A process of that host's, the first of a session of its own."""
        netns.pushns(self._space(host))
        try:
            with log.open("ab") as said:
                return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                        start_new_session=True,
                                        env={**os.environ, "PYTHONUNBUFFERED": "1"})
        finally:
            netns.popns()

    def cut(self, one: str, other: str) -> None:
        """What `one` says to `other` is lost. The other direction is another cut."""
        self._cuts[one, other] = self._cuts.get((one, other), 0) + 1
        for address in self._addresses(other):
            self._thread.submit(self._spaces[one].neigh, "replace", dst=address, lladdr=NOBODY,
                                ifindex=self._devices[one], state=PERMANENT).result()

    def heal(self, one: str, other: str) -> None:
        """Once for each cut."""
        self._cuts[one, other] -= 1
        if self._cuts[one, other] == 0:
            for address in self._addresses(other):
                with contextlib.suppress(NetlinkError):
                    self._thread.submit(self._spaces[one].neigh, "del", dst=address,
                                        ifindex=self._devices[one]).result()

    def roam(self, host: str) -> str:
        """It has its other address from now on, and no more the one it had: which."""
        self._away ^= {host}
        new, old = self.abroad[host], self.hosts[host]
        new, old = (new, old) if host in self._away else (old, new)
        for change, address in (("add", new), ("del", old)):
            self._thread.submit(self._spaces[host].addr, change, index=self._devices[host], address=address,
                                prefixlen=32).result()
        return new

    def _addresses(self, host: str) -> list[str]:
        return [self.hosts[host], *([self.abroad[host]] if host in self.abroad else [])]

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
