"""From the first flood to the kernel: an edge and a warden in a namespace, and a client that does not stop."""

import ctypes.util
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyroute2 import netns

from sbc.kernel.filtering import LIBRARY
from tests.hostile.test_http2_floods import FLOODS, OPEN
from tests.kernel.test_filtering import heard  # noqa: F401  a fixture is used by its name
from tests.kernel.test_shaping import _warden
from tests.support.spaces import Space, space  # noqa: F401  a fixture is used by its name

pytestmark = pytest.mark.skipif(ctypes.util.find_library("nftables") is None, reason=f"{LIBRARY} is not installed")
PATIENCE = 30.0
THEM, OTHERS = "127.0.0.2", "127.0.0.3"
CONFIG = """
admin: {listen: "127.0.0.1:9070"}
listeners: [{name: plain, listen: "127.0.0.1:8080"}]
pools: {p: {nodes: [{name: n, url: "http://127.0.0.1:9999"}]}}
agents: {a: {pool: p}}
routes: [{agent: a}]
abuse: {refuse: 100, block: 140, period: 1m, exempt: []}
kernel: {socket: "%s"}
"""


@pytest.fixture
def call(space: Space) -> Iterator[Callable[[str], socket.socket]]:  # noqa: F811
    """Connects to the edge in the namespace, from an address."""
    lines: list[socket.socket] = []

    def _call(source: str, port: int = 8080) -> socket.socket:
        netns.pushns(space.name)
        try:
            line = socket.socket()
        finally:
            netns.popns()
        lines.append(line)
        line.settimeout(3.0)
        line.bind((source, 0))
        line.connect(("127.0.0.1", port))
        return line

    yield _call
    for line in lines:
        line.close()


def _until(true: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def _is_there(call: Callable[..., socket.socket], port: int) -> bool:
    try:
        call(OTHERS, port).close()
    except OSError:
        return False
    return True


def _flood(line: socket.socket) -> None:
    """Pings until it is cut."""
    try:
        line.sendall(OPEN + next(FLOODS["pings"]()))
        while line.recv(65536):
            pass
    except OSError:
        pass


def test_who_does_not_stop_is_dropped_by_the_kernel_until_the_edge_is_gone(
    space: Space, tmp_path: Path, call: Callable[..., socket.socket], heard: Callable[[str], bool],  # noqa: F811
) -> None:
    path, file = str(tmp_path / "kernel.sock"), tmp_path / "sbc.yaml"
    kill = _warden(space, path)
    file.write_text(CONFIG % path)
    edge = space.start("sbc", "run", "-c", str(file))
    _until(lambda: _is_there(call, 8080))
    _until(lambda: b"200" in _asked(call, b"/healthz"))
    for _ in range(2):
        _flood(call(THEM))
    assert heard(THEM), "it is only barred by now"
    for _ in range(40):
        try:
            _flood(call(THEM))
        except TimeoutError:
            break
    _until(lambda: not heard(THEM))
    assert heard(OTHERS) and b'"standing":"blocked"' in _asked(call, b"/api/v1/abuse")
    kill()
    _warden(space, path)
    _until(lambda: b'sbc_kernel_orders_total{order="block",outcome="done"} 2.0' in _asked(call, b"/metrics"))
    assert not heard(THEM), "the next warden is told again"
    edge.terminate()
    edge.wait()
    _until(lambda: heard(THEM))


def _asked(call: Callable[..., socket.socket], path: bytes) -> bytes:
    with call(OTHERS, 9070) as line:
        line.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:9070\r\nConnection: close\r\n\r\n" % path)
        said = b""
        while piece := line.recv(65536):
            said += piece
    return said
