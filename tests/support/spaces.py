"""A network namespace of a test's own with a pair of devices, `one` and `other`; root is needed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from pyroute2 import NetNS, netns

from tests.support.namespaces import built
from tests.support.nursery import ROOT


class Space:
    """The namespace; what is started in it is ended with it."""

    def __init__(self) -> None:
        self.name = f"sbc-space-{os.getpid()}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def build(self) -> None:
        """Raises NetlinkError or OSError without the right to."""
        netns.create(self.name)
        with NetNS(self.name) as space:
            space.link("add", ifname="one", kind="veth", peer={"ifname": "other"})
            for device in ("lo", "one", "other"):
                space.link("set", index=space.link_lookup(ifname=device)[0], state="up")

    def start(self, module: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """A process in it."""
        netns.pushns(self.name)
        try:
            process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL)
        finally:
            netns.popns()
        self._processes.append(process)
        return process

    def disciplines(self, device: str) -> dict[int, str]:
        """The queueing disciplines of a device: number and kind."""
        with NetNS(self.name) as space:
            index = space.link_lookup(ifname=device)[0]
            return {found["handle"]: found.get_attr("TCA_KIND") for found in space.get_qdiscs(index=index)}

    def tear_down(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        with suppress(OSError):
            netns.remove(self.name)


@pytest.fixture
def space() -> Iterator[Space]:
    """The test is skipped where namespaces cannot be made."""
    with built(Space()) as made:
        yield made
