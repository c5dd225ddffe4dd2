"""The warden over a real socket: who may give orders, what becomes of them, and what is undone when."""

import os
import pwd
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from math import inf
from pathlib import Path

import orjson
import pytest

from sbc.kernel.orders import LONGEST_LINE, Order, OrderError, Unshape, encode
from sbc.kernel.warden import MOST_EDGES, Warden, open_door
from sbc.model.errors import SbcError

PATIENT = 20.0


class Recording:
    """Work that only takes note. Implements Work."""

    def __init__(self) -> None:
        self.noted: list[object] = []
        self.changed = threading.Condition()

    def _note(self, what: object) -> None:
        with self.changed:
            self.noted.append(what)
            self.changed.notify_all()

    def takes(self, order: Order) -> bool:
        return True

    def do(self, edge: int, order: Order) -> None:
        assert isinstance(order, Unshape)
        if order.device == "none":
            raise OrderError("none: there is no such device")
        self._note((edge, order.device))

    def undo(self, edge: int) -> None:
        self._note(("undone", edge))

    def clear(self) -> None:
        self._note("cleared")

    def look(self, now: float) -> float:
        return inf

    def wait(self, what: object) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: what in self.noted, PATIENT)


@pytest.fixture
def work() -> Recording:
    return Recording()


@pytest.fixture
def path(tmp_path: Path, work: Recording) -> Iterator[str]:
    """Where a warden listens."""
    path = str(tmp_path / "kernel.sock")
    yield from _serving(path, work, None)


def _serving(path: str, work: Recording, user: str | None) -> Iterator[str]:
    warden = Warden(open_door(path), [work], user)
    thread = threading.Thread(target=warden.serve)
    thread.start()
    yield path
    warden.stop()
    thread.join(PATIENT)
    assert not thread.is_alive()
    assert work.noted[-1] == "cleared"


def _call(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(PATIENT)
    line.connect(path)
    return line


def _answer(line: socket.socket) -> object:
    return orjson.loads(line.makefile("rb").readline())


def test_an_order_is_done_and_undone_when_its_edge_is_gone(path: str, work: Recording) -> None:
    assert work.wait("cleared")  # what a warden left that was killed
    with _call(path) as line, line.makefile("rb") as answers:
        line.sendall(encode(Unshape("eth0"))[:10])
        line.sendall(encode(Unshape("eth0"))[10:] + encode(Unshape("none")))
        assert orjson.loads(answers.readline()) == {"done": True}
        assert orjson.loads(answers.readline()) == {"error": "none: there is no such device"}
        assert work.noted[-1] == (1, "eth0")
    assert work.wait(("undone", 1))


@pytest.mark.parametrize("flood", [b"x" * (3 * LONGEST_LINE), b"{}\n" * 200_000])
def test_a_flood_ends_its_own_line_only(path: str, flood: bytes) -> None:
    with _call(path) as other, _call(path) as line:
        with pytest.raises(OSError):  # cut off while it sends, or at the latest when it sends on
            while True:
                line.sendall(flood)
        other.sendall(encode(Unshape("eth0")))
        assert _answer(other) == {"done": True}


def test_no_more_edges_than_there_is_room_for(path: str) -> None:
    lines = [_call(path) for _ in range(MOST_EDGES)]
    for line in lines:
        line.sendall(encode(Unshape("eth0")))
        assert _answer(line) == {"done": True}
    with _call(path) as late:
        assert late.recv(1) == b""
    for line in lines:
        line.close()


AS_NOBODY = """
import os, socket, sys
os.setgid(65534); os.setuid(int(sys.argv[2]))
line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
line.connect(sys.argv[1])
line.sendall(b'{"order":"unshape","device":"eth0"}\\n')
try:
    print(line.recv(100).decode(), end="")
except ConnectionResetError:
    pass
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="to be somebody else needs root")
@pytest.mark.parametrize("user", [None, "daemon"])
def test_only_the_user_that_is_named_may_give_orders(work: Recording, user: str | None) -> None:
    path = f"/tmp/sbc-warden-{os.getpid()}.sock"  # where anybody can get to
    serving = _serving(path, work, user)
    try:
        next(serving)
        uid = str(pwd.getpwnam("daemon").pw_uid)
        ran = subprocess.run([sys.executable, "-c", AS_NOBODY, path, uid], capture_output=True, text=True, check=False)
        assert ran.stdout == ('{"done":true}\n' if user else ""), ran.stderr
    finally:
        assert next(serving, None) is None
        Path(path).unlink()


def test_a_socket_that_was_left_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "kernel.sock")
    open_door(path).close()
    door = open_door(path)
    with pytest.raises(SbcError, match="another warden"):
        open_door(path)
    door.close()
    Path(path).unlink()
    Path(path).write_text("precious")
    with pytest.raises(SbcError, match="no socket"):
        open_door(path)
    assert Path(path).read_text() == "precious"
