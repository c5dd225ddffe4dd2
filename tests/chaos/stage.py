"""The whole of a run: everybody is brought on the stage, the faults happen, and in the end all is in order again.

What was done is recorded.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence

from sbc.telemetry.recordfile import verify_file
from tests.chaos.actors import actors
from tests.chaos.clients import names
from tests.chaos.doors import STARTING, Doors
from tests.chaos.edges import Setting
from tests.chaos.faults import Fault, Kind
from tests.chaos.net import SHARED, Net
from tests.chaos.strikes import Strikes
from tests.support.history import History, read
from tests.support.wait import wait_until

SETTLING = 120.0
TICK, LATE = 1.0, 0.5
"""Seconds between two looks whether the machine has time for everybody; for how long nobody may wait meanwhile."""
MOST = 1000
"""Sessions that an edge is asked for."""
MOMENTARY = (Kind.MIGRATE, Kind.UPGRADE, Kind.ROAM, Kind.REVOKE, Kind.KILL_WORKER)
"""Faults with no end."""


class Stage:
    """Begun with `open`, ended with `close` in any case."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._cast, self._place = setting.cast, setting.place
        self._net = Net(self._cast.hosts, roaming=self._cast.clients)
        self._history = History(str(self._place / "watcher.jsonl"))
        self._doors = Doors(self._net.hosts, self._cast)
        self._actors = actors(self._net, setting)
        self._strikes = Strikes(self._place, self._cast, self._net, self._actors, self._doors, self._history)

    async def open(self) -> None:
        """Build the network, start everything, wait until it serves. Raises AssertionError, or as Net does."""
        self._net.build()
        self._strikes.mount()
        for host in self._cast.redis + self._cast.sentinels:
            self._actors[host].start()
        await self._doors.begin_stores()
        for name, actor in self._actors.items():
            if name.endswith(".warden"):
                actor.start()
        for host in self._cast.edges + self._cast.nodes + self._cast.plain:
            self._actors[host].start()
        await self._serving()
        for host in self._cast.clients:
            self._actors[host].start()
        await wait_until(self._all_in, f"every client is in: {self._place}", STARTING)
        shared = {"shared": SHARED} if self._cast.floats else {}
        self._history.write("stage", hosts=self._net.hosts | shared, cast=str(self._cast))

    def _all_in(self) -> bool:
        facts = [fact for host in self._cast.clients for fact in read(self._place / f"{host}.jsonl")]
        # A session of requests is the client's name, one of a WebSocket has a number behind it.
        came = {fact["client"].partition(".")[0] for fact in facts if fact["what"] == "in"}
        return came == {name for host in self._cast.clients for name in names(host)}

    async def play(self, faults: Sequence[Fault], seconds: float) -> None:
        """Everything that goes wrong, each at its time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        watching = [asyncio.create_task(self._watch()), asyncio.create_task(self._tick())]
        upgrades: list[asyncio.Task[None]] = []
        script = [(fault.at, True, fault) for fault in faults]
        script += [(fault.over, False, fault) for fault in faults if fault.kind not in MOMENTARY]
        try:
            for at, beginning, fault in sorted(script, key=lambda one: one[0]):
                await asyncio.sleep(began + min(at, seconds) - loop.time())
                if fault.kind is Kind.UPGRADE:  # takes as long as a process needs to begin
                    upgrades.append(asyncio.create_task(self._begin(fault)))
                else:
                    await (self._begin(fault) if beginning else self._end(fault))
            await asyncio.sleep(began + seconds - loop.time())
            await asyncio.gather(*upgrades)
        finally:
            for task in watching:
                task.cancel()

    async def _begin(self, fault: Fault) -> None:
        self._history.write("fault", kind=fault.kind.value, who=fault.who, seconds=fault.seconds)
        hit = await self._strikes.begin(fault)
        self._history.write("hit" if hit else "missed", kind=fault.kind.value, who=fault.who)
        if fault.kind in MOMENTARY:
            self._history.write("over", kind=fault.kind.value, who=fault.who)

    async def _end(self, fault: Fault) -> None:
        await self._strikes.end(fault)
        self._history.write("over", kind=fault.kind.value, who=fault.who)

    async def settle(self) -> None:
        """All is in order again, and every client says its last word. Raises AssertionError if one does not."""
        watching = [asyncio.create_task(self._watch()), asyncio.create_task(self._tick())]
        try:
            await self._serving()
            self._history.write("settling")
            for host in self._cast.clients:
                self._actors[host].signal(signal.SIGUSR1)
                self._strikes.down.add(host)
            with contextlib.suppress(AssertionError):  # the judge says who has not
                await wait_until(lambda: not any(self._actors[host].runs for host in self._cast.clients),
                                 "all clients have settled", SETTLING)
            for edge in self._cast.edges:
                self._history.write("figures", edge=edge, figures=await self._doors.figures(edge))
                self._verify_records(edge)
        finally:
            for task in watching:
                task.cancel()

    def _verify_records(self, edge: str) -> None:
        disk = self._strikes.disk(edge)
        for file in sorted(disk.glob("*.jsonl")):
            verdict = verify_file(file, file.with_suffix(".key.pub"))
            self._history.write("records", edge=edge, file=file.name, records=verdict.records, faulty=verdict.faulty,
                                missing=verdict.missing, faults=[str(fault) for fault in verdict.faults])

    def close(self) -> None:
        """End every process, and take the network down."""
        for actor in self._actors.values():
            actor.sweep()
        self._strikes.unmount()
        self._net.tear_down()

    async def _serving(self) -> None:
        """Start what does not run, and wait until every edge is ready and sees every node."""
        async def ready() -> bool:
            for host in self._cast.hosts:
                self._revive(host)
            return all([await self._doors.ready(edge) for edge in self._cast.edges])
        await wait_until(ready, f"everything serves: {self._place}", STARTING)

    def _revive(self, host: str) -> None:
        """A process that ended by itself is started again, as a supervisor would."""
        if host not in self._strikes.down and not self._actors[host].runs and host not in self._cast.clients:
            self._history.write("ended", who=[host])
            self._strikes.start(host)

    async def _watch(self) -> None:
        """Note how much memory everybody has, and start what ended by itself."""
        while True:
            await asyncio.sleep(1.0)
            self._history.write("memory", resident={name: one.resident() for name, one in self._actors.items()})
            await asyncio.gather(*(self._note_sessions(edge) for edge in self._cast.edges))
            for host in self._cast.hosts:
                self._revive(host)

    async def _tick(self) -> None:
        """Note when the machine had no processor for an edge, or for the clients of a host, that would have run."""
        loop = asyncio.get_running_loop()
        before, since = self._waited(), loop.time()
        while True:
            await asyncio.sleep(TICK)
            now, waited = loop.time(), self._waited()
            for host, seconds in waited.items():
                if seconds - before.get(host, seconds) > LATE:
                    self._history.write("late", host=host, seconds=now - since)
            before, since = waited, now

    def _waited(self) -> dict[str, float]:
        return {host: self._actors[host].waited() for host in self._cast.edges + self._cast.clients}

    async def _note_sessions(self, edge: str) -> None:
        """Which sessions an edge says that it has; `asked`: it has them at that time at the earliest."""
        asked = time.time()
        shares: dict[str, dict[str, int]] = {edge: {}}
        for row in await self._doors.sessions(edge, MOST):
            owner = f"{edge}/{row['worker']}" if "worker" in row else edge
            share = shares.setdefault(owner, {})
            if row["session"] in share:
                self._history.write("twice", host=owner, session=row["session"], epochs=[share[row["session"]],
                                                                                         row["epoch"]])
            share[row["session"]] = row["epoch"]
        for owner, sessions in shares.items():
            self._history.write("has", host=owner, asked=asked, sessions=sessions)
