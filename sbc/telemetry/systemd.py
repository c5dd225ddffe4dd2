"""The service manager's two protocols: sd_notify(3), and the sockets it passes on (sd_listen_fds(3)).

Both are a few lines of the standard library. The variables are taken out of the environment when they are read, so
that no process started from here takes them for its own. Without a service manager all of this does nothing.
"""

import asyncio
import os
import socket
import time
from collections.abc import MutableMapping

from sbc.model.errors import SbcError

FIRST = 3
"""SD_LISTEN_FDS_START: the first descriptor that is passed."""


class Notifier:
    """Tells the service manager how the edge is. Nothing here blocks or raises: the manager may be gone."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Raises SbcError if the manager's variables make no sense."""
        address = environ.pop("NOTIFY_SOCKET", "")
        self.environment = {
            name: said for name, said in (("NOTIFY_SOCKET", address), ("WATCHDOG_USEC", environ.get("WATCHDOG_USEC")))
            if said
        }  # fmt: skip
        """What tells a successor of this process the same."""
        self.watch_interval = _watch_interval(environ)
        """Seconds between two signs of life: half of what the manager waits for. None: it does not wait."""
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            # A leading @ stands for the null byte of Linux's abstract names.
            self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self, status: str) -> None:
        """Started, or done with a reload."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def reloading(self) -> None:
        """A reload begins; it ends with ready()."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def succeeded(self, pid: int) -> None:
        """Another process is the main one from here on, and speaks for the service."""
        self._send(f"MAINPID={pid}")

    def stopping(self, status: str) -> None:
        """The end has begun."""
        self._send(f"STOPPING=1\nSTATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_one_line(status)}")

    async def watch(self) -> None:
        """Show signs of life for as long as the event loop turns; returns at once if nobody waits for them."""
        while self.watch_interval is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.watch_interval)

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError:  # gone or busy: the edge does not depend on it
            return


def listen_fds(environ: MutableMapping[str, str] = os.environ) -> dict[str, list[socket.socket]]:
    """The sockets that the service manager opened for us, by FileDescriptorName=; {} if it opened none.

    They come non-blocking and are not inherited by processes that we start. Raises SbcError if a descriptor that is
    passed is not a socket.
    """
    pid = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()):  # meant for another process, which left them in its environment
        return {}
    passed: dict[str, list[socket.socket]] = {}
    for index in range(_number("LISTEN_FDS", count)):
        name = names[index] if index < len(names) else ""
        passed.setdefault(name or "unknown", []).append(_take(FIRST + index))
    return passed


def _take(descriptor: int) -> socket.socket:
    try:
        taken = socket.socket(fileno=descriptor)
    except OSError as error:
        raise SbcError(f"the service manager passed descriptor {descriptor}, which is no socket: {error}") from error
    taken.setblocking(False)
    taken.set_inheritable(False)
    return taken


def _watch_interval(environ: MutableMapping[str, str]) -> float | None:
    limit = environ.pop("WATCHDOG_USEC", "")
    pid = environ.pop("WATCHDOG_PID", "")
    if not limit or (pid and pid != str(os.getpid())):
        return None
    return _number("WATCHDOG_USEC", limit) / 2_000_000 or None


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise SbcError(f"the environment variable {name} must be a whole number, and is {text[:40]!r}")
    return int(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
