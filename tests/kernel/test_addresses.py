"""Addresses by a real warden on a device of a namespace: there until then, whoever stops working."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from pyroute2 import NetNS, netns

from sbc.kernel.neighbours import announcements
from sbc.kernel.orders import Assign, Order, Release
from tests.kernel.test_shaping import _knock, _until, _warden
from tests.kernel.test_warden import _answer, _call, encode
from tests.support.spaces import Space, space  # noqa: F401  a fixture is used by its name

IPV4, IPV6 = "10.207.0.10/24", "fd07::10/64"


def assign(seconds: float, number: int = 1, address: str = IPV4, device: str = "one") -> Assign:
    return Assign(device, address, int((time.monotonic() + seconds) * 1000), number)


def says(line: socket.socket, order: Order) -> object:
    line.sendall(encode(order))
    return _answer(line)


def has(space: Space, address: str = IPV4, device: str = "one") -> bool:  # noqa: F811
    with NetNS(space.name) as kernel:
        index = kernel.link_lookup(ifname=device)[0]
        return address in {f"{found.get_attr('IFA_ADDRESS')}/{found['prefixlen']}"
                           for found in kernel.get_addr(index=index)}  # fmt: skip


def gone_by(space: Space, then: float, address: str = IPV4) -> None:  # noqa: F811
    """Wait until it is gone; whoever begins to look after `then` does not find it, however slow looking is."""
    while True:
        began = time.monotonic()
        if not has(space, address):
            return
        assert began < then, f"{began - then} s late"
        time.sleep(0.02)


@pytest.fixture
def path(space: Space, tmp_path: Path) -> str:  # noqa: F811
    return str(tmp_path / "kernel.sock")


def test_an_address_is_there_until_it_is_released_or_its_edge_is_gone(space: Space, path: str) -> None:  # noqa: F811
    _warden(space, path)
    with _call(path) as line, _call(path) as other:
        for address in (IPV4, IPV6):
            for _ in range(2):  # again is no fault
                assert says(line, assign(60, address=address)) == {"done": True}
            assert has(space, address)
            assert says(other, Release("one", address)) == {"done": True}
            assert has(space, address), "it is not that edge's"
            assert says(line, Release("one", address)) == {"done": True}
            assert not has(space, address)
            assert says(line, Release("one", address)) == {"done": True}
        assert says(line, assign(60)) == {"done": True}
    _until(lambda: not has(space))


def test_of_two_edges_of_one_machine_the_later_taking_has_it(space: Space, path: str) -> None:  # noqa: F811
    _warden(space, path)
    with _call(path) as line:
        with _call(path) as other:
            assert says(other, assign(60, 7)) == {"done": True}
            assert "later" in str(says(line, assign(60, 7)))
            assert says(line, assign(60, 8)) == {"done": True}
            assert "later" in str(says(other, assign(60, 7)))
        time.sleep(0.1)
        assert has(space), "it is not undone with the edge that had it before"


def test_it_is_gone_when_its_time_is_over(space: Space, path: str) -> None:  # noqa: F811
    _warden(space, path)
    with _call(path) as line:
        assert says(line, assign(1.5)) == {"done": True}
        time.sleep(0.5)
        assert says(line, assign(1.5)) == {"done": True}
        ends = time.monotonic() + 1.5
        assert has(space)
        gone_by(space, ends + 0.1)
        assert "until is over" in str(says(line, assign(-0.1)))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_without_its_warden_the_kernel_removes_it_in_time_or_the_next_one_goes_on(
    space: Space, path: str, how: signal.Signals,  # noqa: F811
) -> None:
    process = space.start("sbc", "kernel", "--socket", path)
    _until(lambda: _knock(path))
    with _call(path) as line:
        assert says(line, assign(3)) == {"done": True} == says(line, assign(3, address=IPV6))
        ends = time.monotonic() + 3
        process.send_signal(how)
        gone_by(space, ends)
        gone_by(space, ends, IPV6)
    if how is signal.SIGKILL:
        process.wait()
        kill = _warden(space, path)
        with _call(path) as line:
            assert says(line, assign(60)) == {"done": True}
            kill()
        _warden(space, path)
        assert has(space), "it is not taken from a connection that lives because its warden died"
        with _call(path) as line:
            assert says(line, assign(60, 2)) == {"done": True}
        _until(lambda: not has(space))


def test_what_cannot_be_is_refused_and_an_address_of_others_stays(space: Space, path: str) -> None:  # noqa: F811
    _warden(space, path)
    with NetNS(space.name) as kernel:
        kernel.addr("add", index=kernel.link_lookup(ifname="one")[0], address="10.207.0.10", prefixlen=24)
    with _call(path) as line:
        assert "for good" in str(says(line, assign(60)))
        assert "no such device" in str(says(line, assign(60, device="three"))).lower()
        assert "600 s" in str(says(line, assign(1000)))
    assert has(space)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed")
def test_without_the_privilege_to_tell_neighbours_it_is_refused(space: Space, path: str) -> None:  # noqa: F811
    netns.pushns(space.name)
    try:
        process = subprocess.Popen(["setpriv", "--bounding-set", "-net_raw", sys.executable, "-m", "sbc", "kernel",
                                    "--socket", path])  # fmt: skip
    finally:
        netns.popns()
    try:
        _until(lambda: _knock(path))
        with _call(path) as line:
            assert "CAP_NET_RAW" in str(says(line, assign(60)))
        assert not has(space)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def heard(space: Space) -> Callable[[], list[bytes]]:  # noqa: F811
    """The frames that came to the other end of the wire."""
    netns.pushns(space.name)
    try:
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(3))
        ear.bind(("other", 3))
    finally:
        netns.popns()

    def _heard() -> list[bytes]:
        frames = []
        while True:
            try:
                frames.append(ear.recv(2048))
            except BlockingIOError:
                return frames
    return _heard


@pytest.mark.parametrize("address", [IPV4, IPV6])
def test_neighbours_are_told_three_times(
    space: Space, path: str, heard: Callable[[], list[bytes]], address: str,  # noqa: F811
) -> None:
    _warden(space, path)
    with NetNS(space.name) as kernel:
        link = kernel.get_links(ifname="one")[0].get_attr("IFLA_ADDRESS")
    expected = announcements(ip_address(address.partition("/")[0]), bytes.fromhex(link.replace(":", "")))
    told: list[bytes] = []

    def three() -> bool:
        told.extend(frame for frame in heard() if frame in expected)
        return len(told) >= 3 * len(expected)

    with _call(path) as line:
        assert says(line, assign(60, address=address)) == {"done": True}
        _until(three)
        assert says(line, assign(60, address=address)) == {"done": True}
        assert sorted(told) == sorted([*expected] * 3)
