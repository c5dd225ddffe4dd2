"""Shaping by a real warden on a device of a namespace: put there, taken back, and never over what others put there."""

import time
from collections.abc import Callable
from pathlib import Path

from pyroute2 import NetNS

from sbc.kernel.orders import Shape, Share, Unshape
from sbc.kernel.shaping import OURS
from tests.kernel.test_warden import PATIENT, _answer, _call, encode
from tests.support.spaces import Space, space  # noqa: F401  a fixture is used by its name

SHAPE = Shape("one", 10_000_000, (Share(46, 4_000_000), Share(26, 3_000_000), Share(1, 100_000)))


def _until(true: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENT
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def _warden(space: Space, path: str) -> Callable[[], None]:  # noqa: F811
    """Start one; what is returned kills it."""
    process = space.start("sbc", "kernel", "--socket", path)
    _until(lambda: _knock(path))

    def kill() -> None:
        process.kill()
        process.wait()

    return kill


def _knock(path: str) -> bool:
    try:
        _call(path).close()
    except OSError:
        return False
    return True


def test_a_device_is_shaped_until_the_edge_is_gone(space: Space, tmp_path: Path) -> None:  # noqa: F811
    path = str(tmp_path / "kernel.sock")
    before = space.disciplines("one")
    _warden(space, path)
    with _call(path) as line, line.makefile("rb") as answers:
        for _ in range(2):  # again is no fault
            line.sendall(encode(SHAPE))
            assert answers.readline() == b'{"done":true}\n'
        assert space.disciplines("one")[OURS] == "htb"
        with NetNS(space.name) as kernel:
            index = kernel.link_lookup(ifname="one")[0]
            assert len(kernel.get_classes(index=index)) == 5  # the whole, three shares, and all without a mark
        with _call(path) as other:
            other.sendall(encode(Unshape("one")))
            assert _answer(other) == {"error": "one: another edge shapes it"}
        line.sendall(encode(Shape("three", SHAPE.rate, SHAPE.shares)))
        assert answers.readline() == b'{"error":"three: there is no such device"}\n'
        line.sendall(encode(Unshape("one")))
        assert answers.readline() == b'{"done":true}\n'
        assert space.disciplines("one") == before
        line.sendall(encode(SHAPE))
        assert answers.readline() == b'{"done":true}\n'
    _until(lambda: space.disciplines("one") == before)


def test_what_a_warden_leaves_that_is_killed_the_next_one_clears(space: Space, tmp_path: Path) -> None:  # noqa: F811
    path = str(tmp_path / "kernel.sock")
    before = space.disciplines("one")
    kill = _warden(space, path)
    with _call(path) as line:
        line.sendall(encode(SHAPE))
        assert _answer(line) == {"done": True}
        kill()
    assert OURS in space.disciplines("one")
    _warden(space, path)
    assert space.disciplines("one") == before


def test_what_others_put_on_a_device_stays(space: Space, tmp_path: Path) -> None:  # noqa: F811
    path = str(tmp_path / "kernel.sock")
    with NetNS(space.name) as kernel:
        kernel.tc("add", "tbf", kernel.link_lookup(ifname="one")[0], 0x10000, rate=10_000_000, burst=20_000,
                  latency="50ms")
    before = space.disciplines("one")
    _warden(space, path)
    with _call(path) as line:
        line.sendall(encode(SHAPE))
        assert _answer(line) == {"error": "one: it has a queueing discipline already, tbf"}
    assert space.disciplines("one") == before


def test_a_packet_goes_by_its_mark(space: Space, tmp_path: Path) -> None:  # noqa: F811
    """Counted by the class that it went through."""
    path = str(tmp_path / "kernel.sock")
    _warden(space, path)
    with _call(path) as line:
        line.sendall(encode(SHAPE))
        assert _answer(line) == {"done": True}
        with NetNS(space.name) as kernel:
            index = kernel.link_lookup(ifname="one")[0]
            kernel.addr("add", index=index, address="10.204.0.1", prefixlen=24)
            kernel.neigh("add", dst="10.204.0.2", lladdr="02:00:00:00:00:02", ifindex=index)
            before = _went(kernel, index)
            for number, (mark, share) in enumerate(((0xB8, 0x10), (0x04, 0x13), (0x00, 0x11)), 1):
                sender = space.start("tests.support.sender", "10.204.0.2", str(mark))
                assert sender.wait(PATIENT) == 0
                went = _went(kernel, index)
                assert went[share] - before[share] >= 20, (number, went)
                assert sum(went[of] - before[of] for of in (0x10, 0x11, 0x12, 0x13)) < 40, (number, went)
                before = went


def _went(kernel: NetNS, index: int) -> dict[int, int]:
    """How many packets went through each class."""
    return {found["handle"] & 0xFFFF: found.get_attr("TCA_STATS2").get_attr("TCA_STATS_BASIC")["packets"]
            for found in kernel.get_classes(index=index)}
