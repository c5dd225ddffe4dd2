"""How a successor is started: a new process of the program as it is installed now, with the same configuration file.

It inherits one descriptor, a connected Unix stream socket, whose number stands in the variable SBC_PREDECESSOR. What
comes first on it are the listening sockets, by name (unix(7), SCM_RIGHTS), and how to open the store beside the other
process; then both speak as wire/channel.py has it. Where an edge has several workers it is their supervisor that starts
a supervisor like this (supervisor/succession.py).
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson

from sbc.config import Config
from sbc.model.errors import SbcError
from sbc.runtime.succession.words import VERSION

VARIABLE: Final = "SBC_PREDECESSOR"
_LENGTH: Final = 4
_AT_A_TIME: Final = 128
"""Descriptors in one message; the kernel passes 253 at most."""
_LONGEST: Final = 64 * 1024
_PATIENCE: Final = 10.0
"""Seconds that the sockets are waited for: they are sent before the process starts."""

Named = Sequence[tuple[str, socket.socket]]
"""Sockets by the name of their listener."""


@dataclass(frozen=True, slots=True)
class Legacy:
    """What a successor begins with."""

    channel: socket.socket
    """To the predecessor."""
    sockets: Named
    beside: str
    """What opens its store while the predecessor has it open too (Store.passed_on)."""
    seal: bytes
    """What it seals with if the configuration has no keys."""
    workers: Sequence[str] = ()
    """What opens the store of each worker, where there are several; `beside` is empty then."""

    def check(self, config: Config) -> None:
        """Raises SbcError: this is no configuration that it can go on with."""
        had, written = max(len(self.workers), 1), config.edge.workers
        if had != written:
            # Ids say at which of so many workers a session is at home (core/homes.py), and QUIC's who reads them.
            raise SbcError(f"{config.source}: edge.workers: the edge runs with {had}, and an upgrade cannot make that "
                           f"{written}: write {had}, or restart the edge")  # fmt: skip

    def refuse(self, why: str) -> None:
        """Tell the predecessor why there is no successor. Who has gone on since is not told."""
        text = orjson.dumps({"note": "failed", "with": {"why": why}})
        with suppress(OSError):
            self.channel.send(len(text).to_bytes(_LENGTH) + text)


def start(file: str, sockets: Named, beside: str, seal: bytes, environment: Mapping[str, str],
          workers: Sequence[str] = ()) -> tuple["subprocess.Popen[bytes]", socket.socket]:  # fmt: skip
    """Start a successor for the configuration in `file`; its process, and the socket to it. Raises OSError.

    environment: variables that it needs beside those of this process. For the others see Legacy.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        try:
            begun = {"version": VERSION, "beside": beside, "seal": seal.hex(), "workers": list(workers)}
            for names, descriptors in _portions(sockets):
                _send(ours, begun | {"sockets": names, "more": True}, descriptors)
            _send(ours, begun | {"sockets": [], "more": False}, [])
            ours.setblocking(False)
            # The name, not what it leads to: an installation may have been put in the place of another one.
            process = subprocess.Popen(
                [sys.executable, "-m", "sbc", "run", "-c", file], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                env={**os.environ, **environment, VARIABLE: str(theirs.fileno())})
        except OSError:
            ours.close()
            raise
    return process, ours


def _portions(sockets: Named) -> Iterator[tuple[list[str], list[int]]]:
    for at in range(0, len(sockets), _AT_A_TIME):
        some = sockets[at : at + _AT_A_TIME]
        yield [name for name, _ in some], [sock.fileno() for _, sock in some]


def _send(to: socket.socket, message: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    text = orjson.dumps(message)
    socket.send_fds(to, [len(text).to_bytes(_LENGTH) + text], descriptors)


def take_legacy(environ: MutableMapping[str, str] = os.environ) -> Legacy | None:
    """What this process inherits; None: it has no predecessor. Blocks for a moment. Raises SbcError."""
    written = environ.pop(VARIABLE, None)
    if written is None:
        return None
    try:
        channel = socket.socket(fileno=int(written))
        channel.set_inheritable(False)
        channel.settimeout(_PATIENCE)
        sockets: list[tuple[str, socket.socket]] = []
        while True:
            said, descriptors = _receive(channel)
            if said["version"] != VERSION:
                raise SbcError(f"the process to be succeeded speaks version {said['version']} of that, this one "
                               f"{VERSION}: restart the edge instead")  # fmt: skip
            sockets += zip(said["sockets"], map(_taken, descriptors), strict=True)
            if not said["more"]:
                channel.setblocking(False)
                return Legacy(channel, sockets, said["beside"], bytes.fromhex(said["seal"]), said.get("workers", ()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SbcError(f"the variable {VARIABLE} is for processes that an edge starts: {error}") from None


def _receive(channel: socket.socket) -> tuple[dict[str, Any], Sequence[int]]:
    head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH, _AT_A_TIME)
    length = int.from_bytes(head)
    if len(head) < _LENGTH or length > _LONGEST:
        raise ValueError("it says nothing")
    text = b""
    while len(text) < length:
        piece = channel.recv(length - len(text))
        if not piece:
            raise ValueError("it ends too soon")
        text += piece
    said = orjson.loads(text)
    if not isinstance(said, dict):
        raise ValueError("it says something else")
    return said, descriptors


def _taken(descriptor: int) -> socket.socket:
    taken = socket.socket(fileno=descriptor)
    taken.setblocking(False)
    taken.set_inheritable(False)
    return taken
