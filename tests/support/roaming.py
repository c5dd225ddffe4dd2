"""A client that really changes its address: two network namespaces with a wire between them.

The edge and its nodes live in the one, where the test itself is for as long as it lasts; the client is a process in
the other. Root is needed.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute, NetNS, netns

from tests.support.namespaces import built
from tests.support.nursery import ROOT

LINK = 253
"""RT_SCOPE_LINK: what is there needs no gateway."""
EDGE = "10.203.0.1"
HOME, AWAY = "10.203.0.2", "10.203.1.2"
"""Where the client is first, and where it is then: another network."""


class Roaming:
    """The two namespaces."""

    def __init__(self) -> None:
        self._edge, self._client = f"sbc-edge-{os.getpid()}", f"sbc-client-{os.getpid()}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def build(self) -> None:
        """Make them, and enter that of the edge. Raises NetlinkError or OSError without the right to."""
        for name in (self._edge, self._client):
            netns.create(name)
        with NetNS(self._edge) as edge, NetNS(self._client) as client:
            edge.link("add", ifname="wire", kind="veth", peer={"ifname": "air", "net_ns_fd": self._client})
            for space, link in ((edge, "lo"), (edge, "wire"), (client, "lo"), (client, "air")):
                space.link("set", index=_index(space, link), state="up")
            wire, air = _index(edge, "wire"), _index(client, "air")
            edge.addr("add", index=wire, address=EDGE, prefixlen=24)
            edge.addr("add", index=wire, address="10.203.1.1", prefixlen=24)
            client.addr("add", index=air, address=HOME, prefixlen=24)
            client.route("add", dst="10.203.0.0/16", oif=air, scope=LINK)
        netns.pushns(self._edge)

    def start(self, module: str, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """A process of the client's."""
        netns.pushns(self._client)
        try:
            with log.open("ab") as said:
                process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=said,
                                           stderr=said, stdin=subprocess.DEVNULL)
        finally:
            netns.popns()
        self._processes.append(process)
        return process

    async def go_away(self) -> None:
        """The client has another address from here on, and the one it had is gone."""
        await asyncio.to_thread(self._readdress, HOME, AWAY)

    async def go_home(self) -> None:
        """It is back where it was first."""
        await asyncio.to_thread(self._readdress, AWAY, HOME)

    def _readdress(self, old: str, new: str) -> None:
        with NetNS(self._client) as client:
            air = _index(client, "air")
            client.addr("add", index=air, address=new, prefixlen=24)
            client.addr("del", index=air, address=old, prefixlen=24)

    def tear_down(self) -> None:
        """Leave them, and nothing behind."""
        for process in self._processes:
            process.kill()
            process.wait()
        with contextlib.suppress(IndexError):
            netns.popns()
        for name in (self._edge, self._client):
            with contextlib.suppress(OSError):
                netns.remove(name)


def _index(space: IPRoute, name: str) -> int:
    return int(space.link_lookup(ifname=name)[0])


@pytest.fixture
def roaming() -> Iterator[Roaming]:
    """Two namespaces; the test is skipped where they cannot be made."""
    with built(Roaming()) as pair:
        yield pair
