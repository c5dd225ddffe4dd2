"""Carries one fault out, on real processes and the network between them."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chaos.actors import Actor
from tests.chaos.cast import Cast
from tests.chaos.clients import outcast
from tests.chaos.doors import Doors
from tests.chaos.faults import Fault, Kind
from tests.chaos.net import Net
from tests.support.disk import occupy
from tests.support.history import History
from tests.support.wait import wait_until

ENDING = 12.0
"""Seconds that a process has after a SIGTERM."""
LOST_FOR = 1.0
"""Seconds for which a server acknowledges what its replica never hears of."""
AT_ONCE = 5
"""Sessions that are moved by one order."""
REVOKED_FOR = 3600
UPGRADING = 30.0
"""Seconds that an edge has to begin another process."""
DISK = "4m"


class Strikes:
    """`begin` and `end` of each fault."""

    def __init__(self, place: Path, cast: Cast, net: Net, actors: Mapping[str, Actor], doors: Doors,
                 history: History) -> None:
        self._place, self._cast, self._net, self._actors = place, cast, net, actors
        self._doors, self._history = doors, history
        self.down: set[str] = set()
        """Hosts whose process is not to run at the moment."""
        self._ends: dict[Fault, str] = {}
        """The server that a fault has taken, which was the master then."""
        self._stopped: dict[Fault, int] = {}
        """The worker that a fault has stopped."""

    def disk(self, edge: str) -> Path:
        """The file system of an edge's records."""
        return self._place / edge / "disk"

    def mount(self) -> None:
        """Raises CalledProcessError where that is not allowed."""
        for edge in self._cast.edges:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "sbc-chaos", str(self.disk(edge))],
                           check=True)

    def unmount(self) -> None:
        for edge in self._cast.edges:
            subprocess.run(["umount", "-l", str(self.disk(edge))], check=False, capture_output=True)

    async def begin(self, fault: Fault) -> bool:
        """Whether it hit anything."""
        host = fault.who[0]
        actor = self._actors[host]
        match fault.kind:
            case Kind.KILL:
                hit = actor.runs
                self.down.add(host)
                actor.kill()
            case Kind.TERM:
                hit = actor.runs
                self.down.add(host)
                actor.signal(signal.SIGTERM)
            case Kind.STOP:
                hit = actor.runs
                actor.signal(signal.SIGSTOP)
            case Kind.CUT | Kind.ONE_WAY:
                hit = True
                self._change(self._net.cut, fault)
            case Kind.LOSE:
                hit = await self._lose(fault)
            case Kind.DRAIN:
                hit = bool(await self._doors.order(host, f"/api/v1/nodes/{fault.who[1]}/drain"))
            case Kind.MIGRATE:
                hit = await self._migrate(host)
            case Kind.KILL_WORKER | Kind.STOP_WORKER:
                hit = self._strike_worker(fault)
            case Kind.UPGRADE:
                hit = await self._upgrade(host)
            case Kind.ROAM:
                hit = True
                self._history.write("roamed", host=host, address=self._net.roam(host))
            case Kind.FULL:
                hit = bool(occupy(self.disk(host)).stat().st_size)
            case Kind.REVOKE:
                hit = await self._revoke(host, outcast(fault.who[1]))
        return hit

    async def end(self, fault: Fault) -> None:
        """All is as it was."""
        host = fault.who[0]
        actor = self._actors[host]
        match fault.kind:
            case Kind.KILL:
                self.start(host)
            case Kind.TERM:
                with contextlib.suppress(AssertionError):
                    await wait_until(lambda: not actor.runs, f"{host} has ended", ENDING)
                actor.kill()
                self.start(host)
            case Kind.STOP:
                actor.signal(signal.SIGCONT)
            case Kind.CUT | Kind.ONE_WAY:
                self._change(self._net.heal, fault)
            case Kind.LOSE:
                self._change(self._net.heal, fault)
                self.start(self._ends.pop(fault))
            case Kind.DRAIN:
                await self._doors.order(host, f"/api/v1/nodes/{fault.who[1]}/undrain")
            case Kind.STOP_WORKER if fault in self._stopped:
                _signal(self._stopped.pop(fault), signal.SIGCONT)
            case Kind.FULL:
                (self.disk(host) / "ballast").unlink()
            case _:
                pass

    def start(self, host: str) -> None:
        """Start what runs on a host, if it does not."""
        self.down.discard(host)
        if not self._actors[host].runs:
            self._actors[host].start()
            self._history.write("started", who=[host])

    def _change(self, change: Callable[[str, str], None], fault: Fault) -> None:
        one, other = fault.who
        change(one, other)
        if fault.kind is not Kind.ONE_WAY:
            change(other, one)

    async def _lose(self, fault: Fault) -> bool:
        masters = [host for host in fault.who if await self._doors.is_master(host)]
        master = masters[0] if masters else fault.who[0]
        self._ends[fault] = master
        self.down.add(master)
        self._change(self._net.cut, fault)
        await asyncio.sleep(LOST_FOR)
        self._actors[master].kill()
        self._history.write("lost", who=[master])
        return bool(masters)

    async def _migrate(self, edge: str) -> bool:
        taken = [await self._doors.order(edge, f"/api/v1/sessions/{row['session']}/migrate")
                 for row in await self._doors.sessions(edge, AT_ONCE)]
        return any(taken)

    def _strike_worker(self, fault: Fault) -> bool:
        """One worker of the edge: which one is a matter of the time of the plan."""
        workers = self._actors[fault.who[0]].workers
        if not workers:
            return False
        struck = workers[int(fault.at * 1000) % len(workers)]
        if fault.kind is Kind.STOP_WORKER:
            self._stopped[fault] = struck
        _signal(struck, signal.SIGKILL if fault.kind is Kind.KILL_WORKER else signal.SIGSTOP)
        return True

    async def _upgrade(self, edge: str) -> bool:
        """Answered when another process is there; what befalls the two meanwhile are faults of their own."""
        return bool(await self._doors.order(edge, "/api/v1/upgrade", within=UPGRADING))

    async def _revoke(self, edge: str, principal: str) -> bool:
        self._history.write("revoking", client=principal, edge=edge)
        if await self._doors.order(edge, "/api/v1/revocations", {"principal": principal, "seconds": REVOKED_FOR}):
            self._history.write("revoked", client=principal, edge=edge)
            return True
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
