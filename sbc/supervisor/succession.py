"""What a supervisor has of the one that it succeeds (`sbc upgrade`): all listening sockets, each worker's own among
them, and for each of its workers a way to the worker before.

    predecessor                                              this one
    starts this process, with all sockets  ------------->   starts its workers, with theirs
    each worker waits for its own successor <-- ready --    each worker, when it could go on at any moment
    is asked `ready`                       <-------------   at once; answered when all workers' are
    all accept nothing any more, then      -- ready ---->   opens trunk and admin API; the workers accept
    ends when no worker has anything left                   from here on a worker that is lost is started again

Until that answer this one ends if one of its workers does, and nothing has changed there (upgrade.py is that side).
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from socket import socket
from typing import Any, Final

from sbc.model.errors import SbcError
from sbc.model.interfaces import Spawn
from sbc.runtime.crossing import EDGES
from sbc.runtime.succession.predecessor import READY
from sbc.runtime.succession.process import Legacy
from sbc.supervisor.doors import Doors
from sbc.supervisor.outfit import Outfit
from sbc.transports.interconnect import HEIR
from sbc.transports.quic.passing import WAY
from sbc.wire.channel import Channel

CHANNEL: Final = "predecessor-channel:"
FORMER_WAY: Final = "predecessor-quic:"
"""By which names a worker inherits what leads to the worker before; no listener can have them."""
OWN: Final = (CHANNEL, FORMER_WAY, HEIR, EDGES)
"""What is for a worker alone, and for the first process of it."""


def name_for(worker: int, name: str) -> str:
    """What a worker's socket is called among those of all."""
    return f"{worker}/{name}"


def legacy_of(outfit: Outfit, sockets: dict[str, list[socket]]) -> Legacy | None:
    """What a worker has of the one before; it is taken out of its sockets. None: there was none."""
    channel = sockets.pop(CHANNEL, None)
    if channel is None:
        return None
    ways = [(WAY, sock) for sock in sockets.pop(FORMER_WAY)]
    return Legacy(channel[0], ways, outfit.beside, bytes.fromhex(outfit.once))


class Turn(Enum):
    """Whose the edge is."""

    THEIRS = "theirs"
    OURS = "ours"
    GONE = "gone"
    """Nobody's: the predecessor has ended, or wants no successor any more."""


class Heritage:
    """Implements Hearer for the channel to the predecessor."""

    def __init__(self, legacy: Legacy, spawn: Spawn, changed: Callable[[], None]) -> None:
        """changed: told when `turn` is another."""
        self.turn = Turn.THEIRS
        self._legacy = legacy
        self._spawn = spawn
        self._changed = changed
        self._channel = Channel(self, spawn)
        self._of_workers: list[dict[str, list[socket]]] = [{} for _ in legacy.workers]
        self.of_all: dict[str, list[socket]] = {}
        """Those of no worker: the trunk's, the admin API's."""
        for name, sock in legacy.sockets:
            number, slash, own = name.partition("/")
            table = self._of_workers[int(number)] if slash else self.of_all
            table.setdefault(own or name, []).append(sock)

    def doors(self, name: str) -> Doors | None:
        """The sockets of a listener; None: it had none."""
        found = [sockets.pop(name, []) for sockets in self._of_workers]
        return found if any(found) else None

    def own(self, worker: int) -> Mapping[str, Sequence[socket]]:
        """What is for this worker alone. It is there until `taken`."""
        return {name: found for name, found in self._of_workers[worker].items() if name in OWN}

    def beside(self, worker: int) -> str:
        """What opens its store, if it is the first process that succeeds the worker before."""
        return self._legacy.workers[worker] if self._of_workers[worker] else ""

    def taken(self, worker: int) -> None:
        """A worker was started: it has what is its own, and listeners that are no more have nobody."""
        sockets, self._of_workers[worker] = self._of_workers[worker], {}
        for found in sockets.values():
            for sock in found:
                sock.close()

    async def open(self) -> None:
        """Say that the workers are on their way. Raises OSError."""
        await self._channel.open(self._legacy.channel)
        self._spawn("succeed", self._ask())

    async def _ask(self) -> None:
        try:
            await self._channel.ask("ready", READY)
        except SbcError:
            self.turn = Turn.GONE
        else:
            self.turn = Turn.OURS
        self._changed()

    # What it says (Hearer): nothing.

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        raise SbcError(f"{what}: nobody knows what that is")

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        """See Hearer."""

    def cut(self) -> None:
        """See `_ask`. Once the edge is ours it may go."""
