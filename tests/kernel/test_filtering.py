"""Filtering by a real warden in a namespace: datagrams of a source that is blocked are not there; all else is."""

import ctypes.util
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from pyroute2 import netns

from sbc.kernel.filtering import LIBRARY
from sbc.kernel.orders import Block, Order, Unblock
from tests.kernel.test_shaping import _until, _warden
from tests.kernel.test_warden import _answer, _call, encode
from tests.support.spaces import Space, space  # noqa: F401  a fixture is used by its name

pytestmark = pytest.mark.skipif(ctypes.util.find_library("nftables") is None, reason=f"{LIBRARY} is not installed")
THEM, OTHERS = "127.0.0.2", "127.0.0.3"


@pytest.fixture
def heard(space: Space) -> Callable[[str, str], bool]:  # noqa: F811
    """Whether a datagram from one address to another arrives in the namespace."""
    def _heard(source: str, destination: str = "127.0.0.1") -> bool:
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        netns.pushns(space.name)
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as ear, socket.socket(family, socket.SOCK_DGRAM) as mouth:
                ear.bind((destination, 0))
                ear.setblocking(False)
                mouth.bind((source, 0))
                mouth.sendto(b"x", ear.getsockname())  # over lo: it is there when this returns, or it never is
                try:
                    return ear.recv(1) == b"x"
                except BlockingIOError:
                    return False
        finally:
            netns.popns()
    return _heard


def _order(line: socket.socket, order: Order) -> None:
    line.sendall(encode(order))
    assert _answer(line) == {"done": True}


def test_a_source_is_dropped_until_it_is_let_in(space: Space, tmp_path: Path, heard: Callable[..., bool]) -> None:  # noqa: F811
    path = str(tmp_path / "kernel.sock")
    _warden(space, path)
    with _call(path) as line:
        assert heard(THEM)
        for _ in range(2):  # again is no fault
            _order(line, Block(THEM, 60))
        assert not heard(THEM) and heard(OTHERS)
        _order(line, Unblock(THEM))
        assert heard(THEM)
        _order(line, Unblock(OTHERS))  # nor is who was not


def test_a_block_runs_out_by_itself(space: Space, tmp_path: Path, heard: Callable[..., bool]) -> None:  # noqa: F811
    path = str(tmp_path / "kernel.sock")
    _warden(space, path)
    with _call(path) as line:
        _order(line, Block(THEM, 1))
        assert not heard(THEM)
        _until(lambda: heard(THEM))
        _order(line, Unblock(THEM))


def test_of_ipv6_the_whole_64_is_dropped(space: Space, tmp_path: Path, heard: Callable[..., bool]) -> None:  # noqa: F811
    path = str(tmp_path / "kernel.sock")
    _warden(space, path)
    with _call(path) as line:
        assert heard("::1", "::1")
        _order(line, Block("::", 60))
        assert not heard("::1", "::1")
        _order(line, Unblock("::"))
        assert heard("::1", "::1")


def test_what_an_edge_blocked_goes_with_it_and_what_a_warden_left_with_the_next(
    space: Space, tmp_path: Path, heard: Callable[..., bool],  # noqa: F811
) -> None:
    path = str(tmp_path / "kernel.sock")
    kill = _warden(space, path)
    with _call(path) as line, _call(path) as other:
        _order(line, Block(THEM, 60))
        _order(other, Block(OTHERS, 60))
        other.close()
        _until(lambda: heard(OTHERS))
        assert not heard(THEM)
        kill()
    assert not heard(THEM)
    _warden(space, path)
    _until(lambda: heard(THEM))
