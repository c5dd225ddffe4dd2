"""The warden: the one process with CAP_NET_ADMIN, beside edges that have no privileges (`sbc kernel`).

    edge ──connect──> who is it (SO_PEERCRED)? ──line──> order -> Work ──line──> done, or why not
         ──gone─────> what it ordered is undone

One thread and blocking calls to the kernel: an order takes a millisecond, and no event loop has to get along with
netlink. What has a time of its own (Work.look) is seen to between orders. A line too long, an answer that is not read,
or too many edges end a connection, never the process.
"""

import os
import pwd
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

import orjson

from sbc.kernel.orders import LONGEST_LINE, Assign, OrderError, decode, name_of
from sbc.kernel.work import Work
from sbc.model.errors import SbcError
from sbc.telemetry import logs

log = logs.get("sbc.kernel")

MOST_EDGES: Final = 64
CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group of who is at the other end (unix(7), SO_PEERCRED)."""


class Warden:
    """Serves orders on a Unix socket until it is told to stop."""

    def __init__(self, door: socket.socket, works: Sequence[Work], user: str | None) -> None:
        """door: listens, non-blocking. user: who may give orders beside root and the user that this runs as; its
        number is looked up at each connection, for it may be one that systemd makes up (DynamicUser)."""
        self._door = door
        self._works = works
        self._user = user
        self._selector = selectors.DefaultSelector()
        self._callers: set[_Caller] = set()
        self._last = 0
        self._waking, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False

    def serve(self) -> None:
        """Serve until `stop` is called, SIGTERM or SIGINT; then everything is undone."""
        for work in self._works:
            work.clear()
        self._selector.register(self._door, selectors.EVENT_READ, None)
        self._selector.register(self._waking, selectors.EVENT_READ, None)
        try:
            while not self._stopping:
                for key, _ in self._selector.select(self._until_due()):
                    self._see_to(key)
        finally:
            self._close()

    def stop(self, *_signal: object) -> None:
        """Have `serve` return; may be called from a signal's function or from another thread."""
        if not self._stopping:
            os.write(self._wake, b"\0")  # before the flag: whoever sees that closes the pipe
            self._stopping = True

    def _until_due(self) -> float | None:
        now = time.monotonic()
        due = min((work.look(now) for work in self._works), default=inf)
        return None if due == inf else max(due - now, 0.0)

    def _see_to(self, key: selectors.SelectorKey) -> None:
        if isinstance(key.data, _Caller):
            if key.data in self._callers:
                self._hear(key.data)
        elif key.fileobj is self._door:
            self._let_in()

    def _let_in(self) -> None:
        try:
            line, _ = self._door.accept()
        except OSError:  # gone again already
            return
        line.setblocking(False)
        process, user, _ = CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
        if user not in self._allowed() or len(self._callers) >= MOST_EDGES:
            log.warning("edge_refused", user=user, process=process)
            line.close()
            return
        self._last += 1
        caller = _Caller(line, self._last)
        self._callers.add(caller)
        self._selector.register(line, selectors.EVENT_READ, caller)
        log.info("edge_came", edge=caller.number, user=user, process=process)

    def _allowed(self) -> set[int]:
        allowed = {0, os.geteuid()}
        if self._user is not None:
            with suppress(KeyError):  # a user that systemd makes up is there while its service runs
                allowed.add(pwd.getpwnam(self._user).pw_uid)
        return allowed

    def _hear(self, caller: "_Caller") -> None:
        try:
            data = caller.line.recv(LONGEST_LINE)
            if not data:
                raise ConnectionResetError
            for line in caller.lines(data):
                caller.line.sendall(self._answer(caller.number, line))
        except OSError:  # BlockingIOError too: it does not read what it is answered
            self._let_go(caller)

    def _answer(self, edge: int, line: bytes) -> bytes:
        try:
            order = decode(line)
            work = next(work for work in self._works if work.takes(order))
            work.do(edge, order)
        except OrderError as error:
            log.warning("order_refused", edge=edge, why=str(error))
            return orjson.dumps({"error": str(error)}) + b"\n"
        if not isinstance(order, Assign):  # which is ordered anew all the time, and tells of itself
            log.info("order_done", edge=edge, order=name_of(order), said=line.decode())
        return b'{"done":true}\n'

    def _let_go(self, caller: "_Caller") -> None:
        self._callers.discard(caller)
        self._selector.unregister(caller.line)
        caller.line.close()
        for work in self._works:
            work.undo(caller.number)
        log.info("edge_left", edge=caller.number)

    def _close(self) -> None:
        for caller in list(self._callers):
            self._let_go(caller)
        for work in self._works:
            work.clear()
        self._selector.close()
        self._door.close()
        os.close(self._waking)
        os.close(self._wake)


class _Caller:
    """An edge's connection."""

    __slots__ = ("_rest", "line", "number")

    def __init__(self, line: socket.socket, number: int) -> None:
        self.line = line
        self.number = number
        self._rest = b""

    def lines(self, data: bytes) -> list[bytes]:
        """The lines that are whole by now. Raises ConnectionError for one that is too long."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE or any(len(line) > LONGEST_LINE for line in whole):
            raise ConnectionError("line too long")
        return whole


def open_door(path: str) -> socket.socket:
    """Listen at a path; one that was left there by a warden that is gone is replaced.

    Anybody may connect: who may give orders is decided by the kernel's word on who they are. Raises SbcError.
    """
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if Path(path).exists():
            if not Path(path).is_socket():
                raise SbcError(f"{path}: is there, and is no socket")
            _check_deserted(path)
            Path(path).unlink()
        door.bind(path)
        Path(path).chmod(0o666)
        door.listen(MOST_EDGES)
    except OSError as error:
        door.close()
        raise SbcError(f"{path}: {error.strerror}") from error
    except SbcError:
        door.close()
        raise
    return door


def _check_deserted(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise SbcError(f"{path}: another warden listens there")

