"""The end of a process that has a successor: until that one is ready nothing changes; then it hands everything over.

    SERVING ──order──> PREPARING ──ready──> LEAVING ──nothing left──> (the process stops as on any other day)
       ^──────────────────┴─ the successor failed
"""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sbc.config import Config
from sbc.model.errors import Refusal
from sbc.model.interfaces import Spawn, Store
from sbc.nodes.trunk import TrunkDoor
from sbc.runtime.anchor import Anchor
from sbc.runtime.crossing import EDGES, Crossing
from sbc.runtime.fleet import Fleet
from sbc.runtime.hall import Hall
from sbc.runtime.interconnect import Interconnect
from sbc.runtime.succession.onward import ToSuccessor
from sbc.runtime.succession.process import start
from sbc.runtime.succession.successor import Successor, SuccessorFailed
from sbc.telemetry.records import RecordWriter
from sbc.telemetry.systemd import Notifier
from sbc.transports.interconnect import NAME, listen_at
from sbc.transports.listener import Listener
from sbc.transports.quic.passing import WAY
from sbc.transports.quic.sorting import Sorting
from sbc.wire.channel import ChannelLost


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
        self._running = running
        self._spawn = spawn
        self._preparing = False
        self._directory = ""
        """Where the successor is reached."""
        self._interconnect: Interconnect | None = None

    async def begin(self) -> dict[str, Any]:
        """Have a successor, which accepts all that comes when this returns. Raises Refusal: 409, 503."""
        running = self._running
        if self._preparing or running.phase != "ready":
            raise Refusal(409, "upgrading", "this process is starting or leaving, or its successor is under way")
        self._preparing = True
        try:
            successor, passing = await self._prepare()
        except (OSError, SuccessorFailed) as error:
            running.announce("upgrade_failed", {"why": str(error)})
            running.hall.house.metrics.upgrades["failed"] += 1
            raise Refusal(503, "upgrade_failed", f"there is no successor: {error}") from None
        finally:
            self._preparing = False
        await self._let_accept(successor, passing)
        running.announce("succeeded", {"process": successor.process.pid})
        self._spawn("hand over", self._hand_over(successor))
        return {"process": successor.process.pid}

    async def _prepare(self) -> tuple[Successor, socket.socket]:
        running = self._running
        self._directory = self._directory or tempfile.mkdtemp(prefix="sbc-")
        path = Path(self._directory) / "successor.sock"
        path.unlink(missing_ok=True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs, listen_at(path) as door:
                sockets = [*_sockets(running, self.doors), (WAY, theirs), (NAME, door)]
                process, channel = start(running.config.source, sockets, running.store.passed_on, running.once,
                                         running.notifier.environment)  # fmt: skip
            successor = Successor(process, running.hall, running.fleet, running.listeners, self._spawn)
            running.announce("upgrade_began", {"process": process.pid})
            await successor.ready(channel)
        except BaseException:
            ours.close()
            raise
        return successor, ours

    async def _let_accept(self, successor: Successor, passing: socket.socket) -> None:
        """From here on all that comes is the successor's. Nothing of this can fail."""
        running = self._running
        self.successor, running.phase = successor, "leaving"
        running.notifier.succeeded(successor.process.pid)
        for listener in running.listeners.values():
            listener.close()
            for quic in listener.quic_doors:
                quic.read_no_more()
        running.crossing.retire()
        if running.anchor is not None:
            running.anchor.pass_on()
        running.sorting.lead(passing)
        house, edge = running.hall.house, running.config.edge
        self._interconnect = way = Interconnect(self._spawn, edge.h2_engine, house.metrics, edge.name, None, None)
        node = way.successor(Path(self._directory) / "successor.sock")
        running.hall.leave_to(ToSuccessor(way, house.metrics, node), way)
        if running.trunk is not None:
            await running.trunk.accept_no_more()
        for door in self.doors.values():
            await door.accept_no_more()
        if running.records is not None:  # one file, one writer
            writer, running.records, running.hall.records = running.records, None, successor
            await asyncio.to_thread(writer.close)
        successor.accept()

    def close(self) -> None:
        """Nothing is passed on any more; the successor is told, if there is one."""
        if self._interconnect is not None:
            self._interconnect.close()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
        if self.successor is not None:
            self.successor.over()

    async def _hand_over(self, successor: Successor) -> None:
        try:
            await successor.estate.hand_over(self._retire)
        except ChannelLost as error:
            self._running.announce("successor_lost", {"why": str(error)})
        self._running.stop.set()

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
