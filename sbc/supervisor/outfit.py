"""What a worker is started with: its number, the configuration as the supervisor read it, and inherited descriptors.

It comes as JSON in an anonymous file (memfd_create(2)), whose descriptor stands in the variable SBC_WORKER: it may be
longer than an environment, and holds what other processes of the user are not to read. The variable is taken out of the
environment when it is read, so that no process started from the worker takes it for its own.
"""

import os
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from socket import socket
from typing import Final

import orjson

from sbc.config import Config, parse
from sbc.config.portion import portion
from sbc.model.errors import SbcError
from sbc.model.worker import Worker

VARIABLE: Final = "SBC_WORKER"
INTERCONNECT: Final = "interconnect"
"""The name of the socket at which the other workers reach this one."""


@dataclass(frozen=True, slots=True)
class Outfit:
    """Descriptors are numbers here; whoever takes one makes a socket of it."""

    number: int
    """Of the worker, from 0."""
    workers: int
    """How many there are."""
    file: str
    """The configuration file, as faults name it."""
    text: str
    """What stands in it: the file itself may have changed since."""
    once: str
    """The key that all workers seal with where none is written, in hexadecimal digits."""
    control: int
    """A Unix stream socket, connected to the supervisor (wire/channel.py): when it ends, the worker is to end."""
    passing: int
    """Another one, over which descriptors come of listeners that a reload opens."""
    directory: str
    """Where the sockets are at which workers reach each other."""
    sockets: Mapping[str, Sequence[int]]
    """Bound sockets by the name of the listener, TCP ones listening: at most one of TCP and one of UDP each; and
    `interconnect`. Of a worker that succeeds another one those too that are for it alone (supervisor/succession.py)."""
    beside: str
    """What opens its store while its predecessor has it open too (Store.passed_on); empty: it has none."""

    @property
    def worker(self) -> Worker:
        return Worker(self.number, self.workers, self.directory)

    def descriptors(self) -> tuple[int, ...]:
        """All that are inherited."""
        return (self.control, self.passing, *(number for numbers in self.sockets.values() for number in numbers))

    def file_of(self) -> int:
        """The descriptor of an anonymous file with all of this. Raises OSError."""
        descriptor = os.memfd_create("sbc-worker")
        with open(descriptor, "wb", closefd=False) as file:
            file.write(orjson.dumps(asdict(self)))
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor


def take_outfit(environ: MutableMapping[str, str] = os.environ) -> Outfit | None:
    """The outfit of this process; None: it is nobody's worker. Raises SbcError."""
    written = environ.pop(VARIABLE, None)
    if written is None:
        return None
    try:
        with open(int(written), "rb") as file:
            return Outfit(**orjson.loads(file.read()))
    except (OSError, ValueError, TypeError) as error:
        raise SbcError(f"the variable {VARIABLE} is for workers that `sbc run` starts: {error}") from None


def config_of(outfit: Outfit, text: str | None = None) -> Config:
    """The worker's part of the configuration, or of another text of the same file. Raises ConfigError."""
    return portion(parse(outfit.text if text is None else text, outfit.file), outfit.number, outfit.workers)


def socket_of(descriptor: int) -> socket:
    """An inherited socket: non-blocking, and not inherited any further. Raises OSError."""
    taken = socket(fileno=descriptor)
    taken.setblocking(False)
    taken.set_inheritable(False)
    return taken
