"""One edge from its start to its end: builds every part, serves, reloads, stops."""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from typing import Any

from sbc.config import Config, diff, load
from sbc.core.homes import Homes
from sbc.core.revocations import Revocations
from sbc.core.roster import Roster
from sbc.core.turnstile import Turnstile
from sbc.kernel.ward import Ward
from sbc.model.errors import ConfigError, SbcError
from sbc.model.fellow import Fellow
from sbc.model.ids import PoolName, SessionId
from sbc.model.interfaces import SharedStore, Store
from sbc.model.worker import Worker
from sbc.nodes.dial import Trust
from sbc.nodes.pool import Pool
from sbc.runtime.anchor import Anchor
from sbc.runtime.burst import Burst
from sbc.runtime.clerk import Office
from sbc.runtime.constable import Constable
from sbc.runtime.crossing import Crossing, ways_out
from sbc.runtime.departure import Departure
from sbc.runtime.fellows import beside
from sbc.runtime.figures import gauges
from sbc.runtime.fleet import Fleet
from sbc.runtime.hall import Hall
from sbc.runtime.house import House
from sbc.runtime.network import order
from sbc.runtime.opening import doors_of, join_fellows, recall, record_writer, trunk_door, trunk_socket
from sbc.runtime.operations import Events
from sbc.runtime.pace import RETURNS_AT_ONCE, Pace
from sbc.runtime.reload import Prepared, open_doors, prepare, trusts_of
from sbc.runtime.rounds import Rounds
from sbc.runtime.rules import rules
from sbc.runtime.seals import load_seal
from sbc.runtime.succession.predecessor import Predecessor
from sbc.runtime.succession.process import Legacy
from sbc.runtime.succession.upgrade import Upgrade
from sbc.runtime.sweep import pulse
from sbc.runtime.tasks import Tasks
from sbc.runtime.trouble import say
from sbc.runtime.usher import Usher
from sbc.telemetry import logs
from sbc.telemetry.collector import Gauges
from sbc.telemetry.metrics import Metrics
from sbc.telemetry.systemd import Notifier
from sbc.transports.listener import Listener
from sbc.transports.quic.sorting import Sorting
from sbc.transports.sockets import Supply

log = logs.get("sbc")


class Server:
    """Everything that lives as long as the edge does."""

    def __init__(
        self, config: Config, tasks: Tasks, store: Store, supply: Supply, once: bytes, worker: Worker | None = None,
        legacy: Legacy | None = None,
    ) -> None:  # fmt: skip
        """supply: where sockets come from. once: the key to seal with where none is written. worker: which of several
        this is; None: it is alone. legacy: what there is of a process that this one succeeds; None: nothing. Raises
        OSError, ssl.SSLError, SbcError."""
        self.config = config
        self.worker = worker
        self.metrics = Metrics()
        self.events = Events()
        self.stop = asyncio.Event()
        """To be set when the edge is to stop."""
        self._tasks = tasks
        self.store = store
        self._supply = supply
        self.once = once
        self.notifier = Notifier()
        self.phase = "starting"
        self._reloading = asyncio.Lock()
        loop = asyncio.get_running_loop()
        roster = Roster()
        self._pool = Pool(tasks.spawn, config.edge.h2_engine)
        self.fleet = Fleet(roster, self.metrics, tasks.spawn, self.announce, loop.time, self._pool)
        seal = load_seal(config.edge.seal_keys, once)
        held = rules(config, seal)
        kernel = config.kernel
        ward = Ward(kernel.socket, self.metrics.kernel_orders) if kernel is not None else None
        constable = Constable(held.abuse, held.hops, self.metrics, self.announce, loop.time, ward)
        burst = Burst(loop)
        self._usher = Usher(roster, burst, self.metrics, loop.time, self.announce)
        shared = store if isinstance(store, SharedStore) else None
        homes = Homes(0, 1) if worker is None or shared is not None else Homes(worker.number, worker.count)
        house = House(
            loop=loop, spawn=tasks.spawn, store=store, office=Office(store, self.metrics, self.announce),
            roster=roster, signals=self.fleet, shared=shared, homes=homes, turnstile=Turnstile(),
            revocations=Revocations(), usher=self._usher, pool=self._pool, seal=seal, pace=Pace(),
            returns=Pace(RETURNS_AT_ONCE), burst=burst, metrics=self.metrics, constable=constable,
            announce=self.announce, closed=self._closed, ward=ward,
        )  # fmt: skip
        self.records = record_writer(config) if legacy is None else None
        interconnect = ways_out(tasks.spawn, self.metrics, config, worker)
        self.hall = Hall(house, held, self.records, interconnect)
        self.crossing = Crossing(self.hall, interconnect, config, worker)
        self._usher.change(held.capacity, held.classes)
        self.fleet.hall = self.hall
        self._trust(trusts_of(config))
        order(self._pool, ward, config, worker)
        self.trunk = trunk_door(config, self.fleet) if worker is None else None
        address, shared = config.edge.address, house.shared
        self.anchor: Anchor | None = None
        if address is not None and shared is not None and ward is not None and (worker is None or worker.number == 0):
            self.anchor = Anchor(address, shared, ward, self._fit, self.metrics, self.announce)
        self.listeners: dict[str, Listener] = {}
        self._fellows = beside(self.hall, self._meet)
        self._rounds = Rounds(self.hall, lambda: self.records, lambda: self.config, self.listeners, self._fellows)
        self.departure = Departure(self.hall, self.listeners, self.anchor, self.crossing.retire, tasks.spawn,
                                   self.announce)  # fmt: skip
        self.sorting = Sorting(worker or Worker(0, 1, ""), self.listeners, self.metrics.quic)
        self._predecessor = None if legacy is None else Predecessor(
            legacy, self.hall, self.fleet, self.sorting, tasks.spawn, self._alone)
        self.upgrade = Upgrade(self, tasks.spawn)
        self.ports: dict[str, int] = {}
        """Where the listeners, the admin API and the trunk are, by name."""

    def _closed(self, session: SessionId) -> None:
        self.hall.closed(session)

    def announce(self, event: str, fields: Mapping[str, Any]) -> None:
        """Tell operators of an event: one JSON log line, and whoever listens."""
        say(log, event, fields)
        self.events.tell(event, fields)

    # Start.

    async def open(self) -> None:
        """Open the store, and have the nodes that are written down. Raises SbcError."""
        self.crossing.bind(self._supply)
        self._introduce()
        on_record = await self.store.open()
        if self._predecessor is None:  # it may still have them all
            self.hall.dormant.lay_down(on_record)
        recall(self.hall.house, await self.store.revocations())
        self._rounds.go()
        self.fleet.apply(self.config)

    async def open_doors(self) -> None:
        """Let nodes and clients in. Raises OSError, ssl.SSLError, SbcError."""
        join_fellows(self.sorting, self.worker, self._supply)
        opened = doors_of(self.config, self.hall, self._supply, self.sorting, self.metrics.quic)
        trunk = trunk_socket(self.config, self._supply) if self.trunk is not None else None
        if self._predecessor is not None:
            await self._succeed(self._predecessor)
        if self.trunk is not None and trunk is not None:
            await self.trunk.start_on(trunk)
            self.ports["trunk"] = int(trunk.getsockname()[1])
        await self.crossing.open(self._supply)
        for door, sockets in opened:
            self.listeners[door.name] = door
            self.ports[door.name] = await door.start(sockets)
        self._tasks.spawn("pulse", pulse(self.hall, self.fleet, self._rounds.go))
        if self.hall.house.ward is not None:
            self._tasks.spawn("ward", self.hall.house.ward.run())
        if self.anchor is not None:
            self._tasks.spawn("anchor", self.anchor.run())
        self._tasks.spawn("watchdog", self.notifier.watch())
        # What lives as long as the process is not looked at by every collection.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)
        self.phase = "ready"
        self.notifier.ready(f"serving {len(self.listeners)} listeners")
        log.info("edge_ready", edge=self.config.edge.name, ports=self.ports)

    async def _succeed(self, predecessor: Predecessor) -> None:
        """All that can fail is done: take the place of the process before. Raises SbcError."""
        await predecessor.take_over()
        if self.worker is None:  # else the supervisor counts it, once for all
            self.metrics.upgrades["succeeded"] += 1
        try:
            self.records = self.hall.records = record_writer(self.config)
        except SbcError as error:  # too late to fail
            self.announce("records_fail", {"why": str(error)})

    def _alone(self) -> None:
        """The process before is gone."""
        self._predecessor = None
        self.announce("predecessor_gone", {})

    def unready(self) -> str | None:
        """Why the edge is not ready for clients; None if it is."""
        if self.phase != "ready" or self.departure.phase is not None:
            return self.phase if self.phase != "ready" else self.departure.phase
        if self.hall.rules.authorities.incomplete:
            return "the keys of an issuer were not fetched yet"
        return None if self.store.healthy() else "the store does not answer"

    def _fit(self) -> bool:
        """Whether the address that edges share is to be here. A silent store is no reason against it: nobody else could
        take it, and if one can, its lease is over soon. A departure gives it up itself, when clients have been told."""
        shared = self.hall.house.shared
        owns = shared is not None and shared.figures().lease > 0
        return owns and self.phase != "starting" and not self.hall.rules.authorities.incomplete

    # Life.

    async def serve(self) -> None:
        """Serve until told to stop."""
        await self.stop.wait()
        await self._stop()

    async def reload(self) -> dict[str, Any]:
        """Take the configuration from its file again. Raises ConfigError, and nothing has changed then."""
        async with self._reloading:  # each builds on what the one before has left
            self.notifier.reloading()
            try:
                applied = await self.apply(await self.prepare(load(self.config.source)))
            except ConfigError as error:
                self.metrics.reloaded(False)
                self.announce("reload_rejected", {"faults": list(error.faults)})
                raise
            finally:
                self.notifier.ready("serving")
            self.metrics.reloaded(True)
            self.announce("reloaded", applied)
            return applied

    async def prepare(self, config: Config) -> Prepared:
        """Build all that a configuration needs. Raises ConfigError, and nothing has changed then."""
        return await prepare(self.config, config, self.hall.rules, self.once, self._supply)

    async def apply(self, prepared: Prepared) -> dict[str, Any]:
        """Have it hold from now on; what has changed."""
        changes = diff(self.config, prepared.config)
        self.config = prepared.config
        self.hall.rules = prepared.rules
        self.hall.house.constable.apply(prepared.rules.abuse, prepared.rules.hops)
        self.hall.house.seal = prepared.rules.seal
        self._usher.change(prepared.rules.capacity, prepared.rules.classes)
        self._trust(prepared.trusts)
        order(self._pool, self.hall.house.ward, prepared.config, self.worker)
        if self.trunk is not None and prepared.trunk is not None:
            await self.trunk.change(prepared.trunk.secret, prepared.trunk.tls)
        self.crossing.renew(prepared.papers)
        self._introduce()
        self.fleet.apply(prepared.config)
        doors = await open_doors(prepared, self.listeners, self.hall, self.metrics.quic, self.sorting)
        self.hall.review()
        return {"changed": bool(changes), **doors}

    def _meet(self, fellows: Sequence[Fellow]) -> None:
        self.fleet.name_edges(fellows)
        self.crossing.meet(fellows)

    def _introduce(self) -> None:
        """Say to the other edges of the store what they have to know of this one."""
        if self._fellows is not None:
            self._fellows.introduce(self.config, self.worker, self.crossing.address)

    def _trust(self, trusts: Mapping[PoolName, Trust]) -> None:
        self._pool.trusts = trusts
        self.fleet.trust(trusts)

    # The end.

    async def _stop(self) -> None:
        self.phase = "stopping"
        successor = self.upgrade.successor
        if successor is None:
            self.notifier.stopping("telling clients to come back")
        else:
            self.store.succeeded()
        await self.departure.send_away()
        if self.trunk is not None:
            await self.trunk.close()
        await self.fleet.close()
        self._pool.close()
        self.crossing.close()
        await self.store.close()
        if self.records is not None:
            self.records.close()
        self.sorting.close()
        self.upgrade.close()
        log.info("edge_stopped", edge=self.config.edge.name)

    async def survey(self) -> Sequence[Fellow]:
        """The edges of the same store, this one among them, with the nodes of each."""
        return await self._fellows.survey() if self._fellows is not None else self._edges

    @property
    def _edges(self) -> Sequence[Fellow]:
        return self._fellows.edges if self._fellows is not None else [Fellow(self.config.edge.name, {}, 0.0)]

    def gauges(self) -> Gauges:
        """What is true at the moment of a scrape."""
        if self.trunk is not None:
            for kind, count in self.trunk.counts.by_kind().items():
                self.metrics.abuse[f"trunk_{kind}"] = count
        return gauges(self.hall, self.listeners, self.store.healthy(), self._edges, self.fleet.finders.ages)
