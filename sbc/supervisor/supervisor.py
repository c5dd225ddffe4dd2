"""Several workers as one edge, from its start to its end: opens every socket, starts the workers, speaks for them."""

import asyncio
import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from sbc.config import Config, diff, parse, text_of
from sbc.model.errors import ConfigError, SbcError
from sbc.model.worker import Worker
from sbc.nodes.trunk import TrunkDoor
from sbc.runtime.operations import Events
from sbc.runtime.operations import Listener as EventListener
from sbc.runtime.reload import TrunkTerms, terms_of, trunk_terms
from sbc.runtime.tasks import Tasks
from sbc.supervisor import doors, reloading
from sbc.supervisor.doors import Doors
from sbc.supervisor.outfit import INTERCONNECT, Outfit
from sbc.supervisor.process import State, WorkerProcess
from sbc.supervisor.switchboard import GATHERING, Switchboard
from sbc.telemetry import logs
from sbc.telemetry.systemd import Notifier
from sbc.transports.interconnect import listen_at
from sbc.transports.quic.passing import WAY
from sbc.transports.quic.steering import ways
from sbc.transports.sockets import bind

STOPPING: Final = 45.0
"""How long workers may take to end in order, in seconds: longer than an edge takes at most."""
STARTING: Final = 10.0
"""How long a reload waits for a worker that is being started, in seconds."""
BACKLOG: Final = 1024
MEMORY: Final = "memory:"
"""The store whose sessions end with the process."""

log = logs.get("sbc")


class Supervisor:
    """The workers of one edge."""

    def __init__(self, config: Config, text: str, once: bytes, tasks: Tasks,
                 opened: Mapping[str, list[socket.socket]]) -> None:  # fmt: skip
        """text: what the configuration was read from. once: the key to seal with where none is written. opened: the
        sockets of the service manager, by name. Raises SbcError."""
        self.config = config
        self.text = text
        self.phase: str | None = "starting"
        """Why the edge is not ready, as a whole; None: it is."""
        self.reloads = {"applied": 0, "rejected": 0}
        """How many were tried, by outcome."""
        self.reload_ok = True
        """Whether the last one was applied."""
        self.changing = asyncio.Lock()
        """Held while a worker is started, or the configuration changes."""
        self._stop = asyncio.Event()
        self._events = Events()
        self.ports: dict[str, int] = {}
        """Where the listeners, the admin API and the trunk are, by name."""
        self.notifier = Notifier()
        self._once = once
        self._opened = opened
        self._doors: dict[str, Doors] = {}
        self._directory = ""
        self._changed = asyncio.Event()
        self._spawn = tasks.spawn
        self.trunk: TrunkDoor | None = None
        self.switchboard = Switchboard(lambda: self.config)
        self.workers = [WorkerProcess(number, self, tasks.spawn) for number in range(config.edge.workers)]

    # Start.

    async def start(self) -> None:
        """Open every socket, start every worker, and wait until all of them serve. Raises OSError, SbcError."""
        count = len(self.workers)
        for listener in self.config.listeners:
            given = self._opened.get(listener.name)
            self._doors[listener.name] = (
                doors.taken_over(given, count) if given else
                doors.open_doors(listener, terms_of(listener, self.config), count))
        self.ports |= doors.ports_of(self._doors)
        self._directory = tempfile.mkdtemp(prefix="sbc-")
        here = Worker(0, count, self._directory)
        self._doors[INTERCONNECT] = [[listen_at(here.socket(number))] for number in range(count)]
        self._doors[WAY] = ways(count)
        await self._open_trunk()
        for worker in self.workers:
            await worker.start()
        while not all(worker.state is State.READY for worker in self.workers):
            failed = next((worker for worker in self.workers if worker.state is State.DOWN), None)
            if failed is not None:
                raise SbcError(f"worker {failed.number} does not start: its log says why (status {failed.status})")
            if self._stop.is_set():
                return
            await self._change()
        self.phase = None
        self._spawn("watchdog", self.notifier.watch())
        self.notifier.ready(f"serving {len(self.config.listeners)} listeners with {count} workers")
        log.info("edge_ready", edge=self.config.edge.name, ports=self.ports, workers=count)

    async def _open_trunk(self) -> None:
        terms = trunk_terms(self.config)
        if terms is None or self.config.trunk is None:
            return
        where = self.config.trunk.listen
        given = self._opened.get("trunk")
        sock = given[0] if given else bind(where.host, where.port)
        self.trunk = TrunkDoor(self.switchboard, edge=self.config.edge.name, secret=terms.secret, ssl=terms.tls)
        self.ports["trunk"] = int(sock.getsockname()[1])
        await self.trunk.start_on(sock)
        self._spawn("beats", self._beat())

    async def _beat(self) -> None:
        while True:
            self.switchboard.tell_beats()
            await asyncio.sleep(GATHERING)

    def outfit(self, number: int, control: int, passing: int) -> Outfit:
        sockets = {name: [sock.fileno() for sock in found] for name, of_workers in self._doors.items()
                   if (found := of_workers[number])}
        return Outfit(number, len(self.workers), self.config.source, self.text, self._once.hex(), control, passing,
                      self._directory, sockets)

    # Life.

    async def serve(self) -> None:
        """Serve until told to stop."""
        await self._stop.wait()

    def stop(self) -> None:
        """Tell it to stop."""
        self._stop.set()
        self._changed.set()

    def changed(self, number: int) -> None:
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
        return self._events.listen(listener)

    async def reload(self) -> dict[str, Any]:
        """Take the configuration from its file again, in all workers. Raises ConfigError, and nothing has changed."""
        async with self.changing:
            self.notifier.reloading()
            try:
                applied = await self._reload()
            except ConfigError as error:
                self._reloaded(False, "reload_rejected", {"faults": list(error.faults)})
                raise
            finally:
                self.notifier.ready("serving")
            self._reloaded(True, "reloaded", applied)
            return applied

    async def _reload(self) -> dict[str, Any]:
        # Not here: nodes would have to be silent for as long as it takes.
        text, config, terms = await asyncio.to_thread(_read, self.config.source)
        reloading.check(self.config, config)
        await self._settled(config.source)
        opening = reloading.open_sockets(self.config, config, len(self.workers))
        living = [worker for worker in self.workers if worker.state is State.READY]
        try:
            await reloading.prepare(living, text, opening)
        except ConfigError:
            opening.close()
            raise
        changed = bool(diff(self.config, config))
        self.config, self.text = config, text
        if self.trunk is not None and terms is not None:
            await self.trunk.change(terms.secret, terms.tls)
        self._change_doors(opening)
        return await reloading.apply(living) | {"changed": changed}

    async def _settled(self, file: str) -> None:
        """Until no worker is being started, with the configuration so far. Raises ConfigError: that takes too long."""
        try:
            async with asyncio.timeout(STARTING):
                while any(worker.state is State.STARTING for worker in self.workers):
                    await self._change()
        except TimeoutError:
            raise ConfigError([f"{file}: a worker is being started; reload again when the edge is ready"]) from None

    def _change_doors(self, opening: reloading.Opening) -> None:
        """Those who leave are kept by the workers until what is open there has ended."""
        wanted = {listener.name: listener for listener in self.config.listeners}
        for name in [name for name in self._doors if name not in wanted or name in opening.new]:
            if name not in (INTERCONNECT, WAY):
                doors.close(self._doors.pop(name))
        self._doors |= opening.new
        for name, more in opening.more.items():
            self._doors[name] = [[*had, *new] for had, new in zip(self._doors[name], more, strict=True)]
        for name, listener in wanted.items():
            if name in self._doors:  # or the edge lets nobody in any more
                self._doors[name] = doors.needed(self._doors[name], terms_of(listener, self.config))

    def _reloaded(self, applied: bool, event: str, fields: Mapping[str, Any]) -> None:
        self.reloads["applied" if applied else "rejected"] += 1
        self.reload_ok = applied
        (log.info if applied else log.warning)(event, **fields)
        self._events.tell(event, fields)

    async def _change(self) -> None:
        """Until the state of a worker is another, or the edge is to stop."""
        self._changed.clear()
        await self._changed.wait()

    # The end.

    def depart(self, settle: float) -> None:
        """In so many seconds workers let nobody in any more: whoever knocks then is to be turned away, not kept."""
        asyncio.get_running_loop().call_later(settle, self._close_doors)

    def _close_doors(self) -> None:
        for name in [name for name in self._doors if name != INTERCONNECT]:
            doors.close(self._doors.pop(name))

    async def close(self) -> None:
        """Have all workers end in order, and let go of everything."""
        self.phase = "stopping"
        self.notifier.stopping("telling clients to come back")
        for of_listener in self._doors.values():
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
        if self.trunk is not None:
            await self.trunk.close()
        self.notifier.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def _read(file: str) -> tuple[str, Config, TrunkTerms | None]:
    """A configuration file, what it says, and what it takes to let nodes in. Raises ConfigError."""
    text = text_of(file)
    config = parse(text, file)
    try:
        return text, config, trunk_terms(config)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"{file}: {error}"]) from None
