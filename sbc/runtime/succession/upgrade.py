"""The end of a process that has a successor: until that one is ready nothing changes; then it hands everything over.

    SERVING ──order──> PREPARING ──ready──> LEAVING ──nothing left──> (the process stops as on any other day)
       ^──────────────────┴─ the successor failed
"""

import asyncio
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from sbc.config import Config
from sbc.model.errors import Refusal
from sbc.model.ids import SessionId
from sbc.model.interfaces import Spawn, Store
from sbc.nodes.trunk import TrunkDoor
from sbc.runtime.anchor import Anchor
from sbc.runtime.crossing import EDGES, Crossing
from sbc.runtime.directory import Directory
from sbc.runtime.fleet import Fleet
from sbc.runtime.hall import Hall
from sbc.runtime.interconnect import Interconnect
from sbc.runtime.succession.onward import ToSuccessor
from sbc.runtime.succession.process import start
from sbc.runtime.succession.successor import Successor, SuccessorFailed
from sbc.telemetry.records import RecordWriter
from sbc.telemetry.systemd import Notifier
from sbc.transports.interconnect import HEIR, listen_at
from sbc.transports.listener import Listener
from sbc.transports.quic.passing import WAY
from sbc.transports.quic.sorting import Sorting
from sbc.wire.channel import ChannelLost

SOCKET: Final = "successor.sock"


class Closable(Protocol):
    """A door beside the listeners: that of the admin API."""

    @property
    def socket(self) -> socket.socket:
        """On which it listens."""

    async def accept_no_more(self) -> None:
        """What is under way is answered."""


class Running(Protocol):
    """The server, as far as it has to be handed over."""

    config: Config
    hall: Hall
    fleet: Fleet
    store: Store
    notifier: Notifier
    sorting: Sorting
    once: bytes
    trunk: TrunkDoor | None
    records: RecordWriter | None
    listeners: dict[str, Listener]
    anchor: Anchor | None
    crossing: Crossing
    phase: str
    """Why it is not ready for clients, `ready` if it is."""
    stop: asyncio.Event

    def announce(self, event: str, fields: Mapping[str, Any]) -> None: ...


class Upgrade:
    """Of one process, which has one successor at most."""

    def __init__(self, running: Running, spawn: Spawn) -> None:
        self.successor: Successor | None = None
        """Who has what this process had."""
        self.doors: dict[str, Closable] = {}
        """Those that the roof has opened beside the listeners', by name."""
        self.handed_over: Callable[[], None] = running.stop.set
        """Told when nothing is left here."""
        self._running = running
        self._spawn = spawn
        self._preparing = False
        self._met: tuple[Successor, socket.socket] | None = None
        """Who could go on, and over which socket its datagrams come."""
        self._directory: Directory | None = None
        """Where the successor is reached; None: there is none, or that is for the supervisor to say."""
        self._interconnect: Interconnect | None = None

    async def begin(self) -> dict[str, Any]:
        """Have a successor, which accepts all that comes when this returns. Raises Refusal: 409, 503."""
        running = self._running
        self.check()
        self._preparing = True
        try:
            process, where = await self._prepare()
        except (OSError, SuccessorFailed) as error:
            running.announce("upgrade_failed", {"why": str(error)})
            running.hall.house.metrics.upgrades["failed"] += 1
            raise Refusal(503, "upgrade_failed", f"there is no successor: {error}") from None
        finally:
            self._preparing = False
        running.notifier.succeeded(process.pid)
        await self.leave(where)
        self.go()
        running.announce("succeeded", {"process": process.pid})
        return {"process": process.pid}

    def check(self) -> None:
        """Whether there can be one now. Raises Refusal."""
        if self._preparing or self._running.phase != "ready":
            raise Refusal(409, "upgrading", "this process is starting or leaving, or its successor is under way")

    async def _prepare(self) -> tuple["subprocess.Popen[bytes]", Path]:
        """The successor's process, and where it is reached. Raises OSError, SuccessorFailed."""
        running = self._running
        self._directory = self._directory or Directory()
        path = self._directory / SOCKET
        path.unlink(missing_ok=True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs, listen_at(path) as door:
                sockets = [*_sockets(running, self.doors), (WAY, theirs), (HEIR, door)]
                process, channel = start(running.config.source, sockets, running.store.passed_on, running.once,
                                         running.notifier.environment)  # fmt: skip
        except BaseException:
            ours.close()
            raise
        running.announce("upgrade_began", {"process": process.pid})
        try:
            await self.meet(channel, ours)
        except SuccessorFailed:
            process.kill()
            raise
        return process, path

    # The steps, which the supervisor of several workers has each of them take.

    async def meet(self, channel: socket.socket, passing: socket.socket) -> None:
        """A successor was started; until it could go on at any moment. channel: to it. passing: over which datagrams
        come from it that are ours. Raises SuccessorFailed: it never will."""
        running = self._running
        successor = Successor(running.hall, running.fleet, running.listeners, self._spawn)
        try:
            await successor.ready(channel)
        except BaseException:
            passing.close()
            raise
        self._met = successor, passing

    async def leave(self, where: Path) -> None:
        """Accept nothing any more. where: the socket at which the successor is reached. Nothing of this can fail."""
        running = self._running
        assert self._met is not None
        successor, passing = self._met
        self.successor, running.phase = successor, "leaving"
        for listener in running.listeners.values():
            listener.close()
            for quic in listener.quic_doors:
                quic.read_no_more()
        if running.anchor is not None:
            running.anchor.pass_on()
        running.sorting.lead(passing)
        house, edge = running.hall.house, running.config.edge
        self._interconnect = way = Interconnect(self._spawn, edge.h2_engine, house.metrics, edge.name, None, None)
        running.hall.leave_to(ToSuccessor(way, house.metrics, way.successor(where)), way)
        if running.trunk is not None:
            await running.trunk.accept_no_more()
        for door in self.doors.values():
            await door.accept_no_more()
        if running.records is not None:  # one file, one writer
            writer, running.records, running.hall.records = running.records, None, successor
            await asyncio.to_thread(writer.close)

    def go(self) -> None:
        """From here on all that comes is the successor's: nobody sends anything here any more."""
        assert self.successor is not None
        self._running.crossing.retire()
        self.successor.accept()
        self._spawn("hand over", self._hand_over(self.successor))

    def concerns(self, session: SessionId) -> bool:
        """Whether what a node says of a session may be for this process, or for its successor."""
        return session in self._running.hall.sessions or self.successor is not None

    def close(self) -> None:
        """Nothing is passed on any more; the successor is told, if there is one."""
        if self._interconnect is not None:
            self._interconnect.close()
        if self._directory is not None:
            self._directory.close()
        if self.successor is not None:
            self.successor.close()

    async def _hand_over(self, successor: Successor) -> None:
        try:
            await successor.estate.hand_over(self._retire)
            successor.over()
        except ChannelLost as error:
            self._running.announce("successor_lost", {"why": str(error)})
        self.handed_over()

    def _retire(self, at_once: bool) -> None:
        for listener in self._running.listeners.values():
            listener.retire(lingering=not at_once)


def _sockets(running: Running, doors: Mapping[str, Closable]) -> Sequence[tuple[str, socket.socket]]:
    """All that this process listens on, by name."""
    found = [(name, door.socket) for name, door in doors.items()]
    if running.trunk is not None:
        found.append(("trunk", running.trunk.socket))
    if running.crossing.socket is not None:
        found.append((EDGES, running.crossing.socket))
    for name, listener in running.listeners.items():
        found += [(name, sock) for sock in (listener.sockets.stream, listener.sockets.datagrams) if sock is not None]
    return found
