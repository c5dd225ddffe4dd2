"""Several workers as one edge, from its start to its end: opens every socket, starts the workers, speaks for them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from sbc.config import Config, Listener
from sbc.model.errors import SbcError
from sbc.model.worker import Worker
from sbc.nodes.trunk import TrunkDoor
from sbc.runtime.directory import Directory
from sbc.runtime.operations import Events
from sbc.runtime.operations import Listener as EventListener
from sbc.runtime.reload import terms_of, trunk_terms
from sbc.runtime.succession.process import Legacy
from sbc.runtime.tasks import Tasks
from sbc.runtime.trouble import say
from sbc.supervisor import doors
from sbc.supervisor.doors import Doors
from sbc.supervisor.outfit import INTERCONNECT, Outfit
from sbc.supervisor.process import State, WorkerProcess
from sbc.supervisor.succession import Heritage, Turn
from sbc.supervisor.switchboard import GATHERING, Switchboard
from sbc.telemetry import logs
from sbc.telemetry.systemd import Notifier
from sbc.transports.interconnect import listen_at
from sbc.transports.quic.passing import WAY
from sbc.transports.quic.steering import ways
from sbc.transports.sockets import bind

STOPPING: Final = 45.0
"""How long workers may take to end in order, in seconds: longer than an edge takes at most."""
MEMORY: Final = "memory:"
"""The store whose sessions end with the process."""

log = logs.get("sbc")


class Supervisor:
    """The workers of one edge."""

    def __init__(self, config: Config, text: str, once: bytes, tasks: Tasks,
                 opened: Mapping[str, list[socket.socket]], legacy: Legacy | None = None) -> None:  # fmt: skip
        """text: what the configuration was read from. once: the key to seal with where none is written. opened: the
        sockets of the service manager, by name. legacy: what there is of a process that this one succeeds. Raises
        SbcError."""
        self.config = config
        self.text = text
        self.phase: str | None = "starting"
        """Why the edge is not ready, as a whole; None: it is."""
        self.upgrades = {"succeeded": 0, "failed": 0}
        """By outcome: this process took another one's place; none took this one's."""
        self.changing = asyncio.Lock()
        """Held while a worker is started, or the configuration changes."""
        self._stop = asyncio.Event()
        self._events = Events()
        self.ports: dict[str, int] = {}
        """Where the listeners, the admin API and the trunk are, by name."""
        self.notifier = Notifier()
        self.once = once
        self.sockets: dict[str, Doors] = {}
        """Of listeners, by name, and those by which workers reach each other."""
        self.directory = Directory()
        self._changed = asyncio.Event()
        self._spawn = tasks.spawn
        self._heritage = None if legacy is None else Heritage(legacy, tasks.spawn, self._changed.set)
        self.opened = dict(opened) | (self._heritage.of_all if self._heritage is not None else {})
        """Sockets that somebody else has opened, by name."""
        self.trunk: TrunkDoor | None = None
        self.switchboard = Switchboard(lambda: self.config)
        self.workers = [WorkerProcess(number, self, tasks.spawn) for number in range(config.edge.workers)]

    # Start.

    async def start(self, open_admin: Callable[[], Awaitable[None]]) -> None:
        """Open every socket, start every worker, and wait until all of them serve. open_admin: lets operators in.

        Raises OSError, SbcError."""
        count = len(self.workers)
        if self._heritage is None:  # else they find the process before, until there is another
            await open_admin()
        for listener in self.config.listeners:
            self.sockets[listener.name] = self._doors_of(listener, count)
        self.ports |= doors.ports_of(self.sockets)
        here = Worker(0, count, str(self.directory.path))
        self.sockets[INTERCONNECT] = [[listen_at(here.socket(number))] for number in range(count)]
        self.sockets[WAY] = ways(count)
        trunk = self._trunk_door()
        for worker in self.workers:
            await worker.start()
        if self._heritage is not None:
            await self._succeed(self._heritage)
            await open_admin()
        if trunk is not None:
            self.trunk, sock = trunk
            await self.trunk.start_on(sock)
            self._spawn("beats", self._beat())
        while not all(worker.state is State.READY for worker in self.workers):
            if self._heritage is None:  # else there is no way back: it is started again
                self._check_started()
            if self._stop.is_set():
                return
            await self.change()
        self.phase = None
        self._spawn("watchdog", self.notifier.watch())
        self.notifier.ready(f"serving {len(self.config.listeners)} listeners with {count} workers")
        log.info("edge_ready", edge=self.config.edge.name, ports=self.ports, workers=count)

    def _doors_of(self, listener: Listener, count: int) -> Doors:
        """Raises OSError."""
        terms = terms_of(listener, self.config)
        had = self._heritage.doors(listener.name) if self._heritage is not None else None
        if had is not None:
            return doors.inherited(had, listener, terms, count)
        given = self.opened.get(listener.name)
        return doors.taken_over(given, count) if given else doors.open_doors(listener, terms, count)

    def _check_started(self) -> None:
        """Raises SbcError: one of the workers has ended."""
        failed = next((worker for worker in self.workers if worker.state is State.DOWN), None)
        if failed is not None:
            raise SbcError(f"worker {failed.number} does not start: it {failed.fate}")

    async def _succeed(self, heritage: Heritage) -> None:
        """All that can fail is done: take the place of the process before. Raises SbcError, OSError."""
        await heritage.open()
        while heritage.turn is Turn.THEIRS:
            self._check_started()
            await self.change()
        if heritage.turn is Turn.GONE:
            raise SbcError("the process to be succeeded has ended, or goes on by itself")
        self.upgrades["succeeded"] += 1

    def _trunk_door(self) -> tuple[TrunkDoor, socket.socket] | None:
        """The door for nodes, and the socket it is to listen on; None: there is none. Raises OSError."""
        terms = trunk_terms(self.config)
        if terms is None or self.config.trunk is None:
            return None
        where = self.config.trunk.listen
        given = self.opened.get("trunk")
        sock = given[0] if given else bind(where.host, where.port)
        self.ports["trunk"] = int(sock.getsockname()[1])
        door = TrunkDoor(self.switchboard, edge=self.config.edge.name, secret=terms.secret, ssl=terms.tls)
        return door, sock

    async def _beat(self) -> None:
        while True:
            self.switchboard.tell_beats()
            await asyncio.sleep(GATHERING)

    def outfit(self, number: int, control: int, passing: int) -> Outfit:
        own = self._heritage.own(number) if self._heritage is not None else {}
        found = {**{name: of_workers[number] for name, of_workers in self.sockets.items()}, **own}
        descriptors = {name: [sock.fileno() for sock in sockets] for name, sockets in found.items() if sockets}
        beside = self._heritage.beside(number) if self._heritage is not None else ""
        return Outfit(number, len(self.workers), self.config.source, self.text, self.once.hex(), control, passing,
                      str(self.directory.path), descriptors, beside)

    # Life.

    async def serve(self) -> None:
        """Serve until told to stop."""
        await self._stop.wait()

    def stop(self) -> None:
        """Tell it to stop."""
        self._stop.set()
        self._changed.set()

    def changed(self, number: int) -> None:
        if self._heritage is not None and self.workers[number].state is State.STARTING:
            self._heritage.taken(number)
        if self.workers[number].state is State.READY and self._events.heard:
            self.workers[number].note("listen")
        if self.workers[number].state is State.DOWN:
            self.switchboard.disconnected(number, forgets=self.config.edge.store == MEMORY)
            self._tell_others(number, "census_over", worker=number)
        self._changed.set()

    async def asked(self, number: int, what: str, given: Mapping[str, Any]) -> Any:
        if what != "brief":
            raise SbcError(f"a supervisor is not asked {what!r}")
        briefing = None
        other = next((worker for worker in self.workers if worker.state is State.READY), None)
        if other is not None:
            with suppress(SbcError):  # it has ended too
                briefing = await other.ask("briefing")
        self.switchboard.connected(self.workers[number])
        self._tell_others(number, "census_of_all")
        return briefing

    def _tell_others(self, number: int, what: str, /, **given: Any) -> None:
        for worker in self.workers:
            if worker.number != number:
                worker.note(what, **given)

    def noted(self, number: int, what: str, given: Mapping[str, Any]) -> None:
        match what, given:
            case "event", {"event": event}:
                self._events.pass_on(event | {"worker": number})
            case "census", {"told": told}:
                self._tell_others(number, "census", worker=number, told=told)
            case "trunk_say", {"trunk": trunk, "message": message}:
                self.switchboard.say(number, trunk, message)
            case "trunk_hang_up", {"trunk": trunk, "reason": reason}:
                self.switchboard.hang_up(number, trunk, reason)

    def listen(self, listener: EventListener) -> Callable[[], None]:
        """Have `listener` told of what happens in all workers; the answer takes it off again."""
        leave = self._events.listen(listener)
        self._attend()

        def done() -> None:
            leave()
            self._attend()
        return done

    def _attend(self) -> None:
        """Workers tell what happens only while somebody listens."""
        for worker in self.workers:
            worker.note("listen" if self._events.heard else "unlisten")

    def announce(self, event: str, fields: Mapping[str, Any]) -> None:
        """Tell operators of an event: one JSON log line, and whoever listens."""
        say(log, event, fields)
        self._events.tell(event, fields)

    async def change(self) -> None:
        """Until the state of a worker is another, or the edge is to stop."""
        self._changed.clear()
        await self._changed.wait()

    # The end.

    def depart(self, settle: float) -> None:
        """In so many seconds workers let nobody in any more: whoever knocks then is to be turned away, not kept."""
        asyncio.get_running_loop().call_later(settle, self.close_doors)

    def close_doors(self) -> None:
        """Let go of the sockets of listeners."""
        for name in [name for name in self.sockets if name != INTERCONNECT]:
            doors.close(self.sockets.pop(name))

    async def hang_up(self) -> None:
        """Let go of all trunks."""
        trunk, self.trunk = self.trunk, None
        if trunk is not None:
            await trunk.close()

    async def close(self) -> None:
        """Have all workers end in order, and let go of everything."""
        if self.phase is None:  # else it is another process that speaks for the edge, or there was none yet
            self.notifier.stopping("telling clients to come back")
        self.phase = "stopping"
        for of_listener in self.sockets.values():
            doors.close(of_listener)
        for worker in self.workers:
            worker.stop()
        try:
            async with asyncio.timeout(STOPPING):
                for worker in self.workers:
                    await worker.wait()
        except TimeoutError:
            for worker in self.workers:
                worker.kill()
                await worker.wait()
        await self.hang_up()
        self.notifier.close()
        self.directory.close()
