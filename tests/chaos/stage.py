"""Carries faults out on real processes, and brings everything in order at the end. What was done is recorded."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio
from redis.exceptions import RedisError

from tests.chaos.actors import Actor, actors
from tests.chaos.clients import ASKERS, TALKERS
from tests.chaos.faults import Cast, Fault, Kind
from tests.chaos.net import Net
from tests.support.history import History, read
from tests.support.wait import wait_until

STARTING = 60.0
ENDING = 12.0
"""Seconds that a process has after a SIGTERM."""
SETTLING = 60.0
LOST_FOR = 1.0
"""Seconds for which a server acknowledges what its replica never hears of."""
CLIENTS = TALKERS + ASKERS
"""On each host of them."""
AT_ONCE = 5
"""Sessions that are moved by one order."""


class Stage:
    """Begun with `open`, ended with `close` in any case."""

    def __init__(self, place: Path, cast: Cast, seed: int, lease: str, stay: bool) -> None:
        """seed: of the clients. lease: of the edges. stay: clients leave no edge by themselves."""
        self.cast = cast
        self.net = Net(cast.hosts)
        self.history = History(str(place / "watcher.jsonl"))
        self._place = place
        self._made = (place, seed, lease, stay)
        self.actors: dict[str, Actor] = {}
        self._down: set[str] = set()
        """Hosts whose process is not to run at the moment."""
        self._ends: dict[Fault, str] = {}
        """The server that a fault has taken, which was the master then."""

    async def open(self) -> None:
        """Build the network, start everything, wait until it serves. Raises AssertionError, or as Net does."""
        self.net.build()
        self.actors = actors(self.net, self.cast, *self._made)
        for host in self.cast.redis + self.cast.sentinels:
            self.actors[host].start()
        for host in self.cast.redis:
            await wait_until(lambda host=host: self._is_there(host), f"{host} answers", STARTING)  # type: ignore[misc]
        await self._seen_long_ago()
        for host in self.cast.edges + self.cast.nodes + self.cast.plain:
            self.actors[host].start()
        await self._serving()
        for host in self.cast.clients:
            self.actors[host].start()
        await wait_until(self._all_in, "every client is in", STARTING)
        self.history.write("stage", hosts=self.net.hosts)

    def _all_in(self) -> bool:
        facts = [fact for host in self.cast.clients for fact in read(self._place / f"{host}.jsonl")]
        return len({fact["client"] for fact in facts if fact["what"] == "in"}) == len(self.cast.clients) * CLIENTS

    async def play(self, faults: Sequence[Fault], seconds: float) -> None:
        """Everything that goes wrong, each at its time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        watching = asyncio.create_task(self._watch())
        script = [(fault.at, True, fault) for fault in faults] + [(fault.over, False, fault) for fault in faults]
        try:
            for at, beginning, fault in sorted(script, key=lambda one: one[0]):
                await asyncio.sleep(began + min(at, seconds) - loop.time())
                if not beginning and fault.seconds == 0 and fault.kind not in (Kind.KILL, Kind.TERM):
                    continue
                await (self._begin(fault) if beginning else self._end(fault))
            await asyncio.sleep(began + seconds - loop.time())
        finally:
            watching.cancel()

    async def settle(self) -> None:
        """All is in order again, and every client says its last word. Raises AssertionError if one does not."""
        watching = asyncio.create_task(self._watch())
        try:
            await self._serving()
            self.history.write("settling")
            for host in self.cast.clients:
                self.actors[host].signal(signal.SIGUSR1)
                self._down.add(host)
            with contextlib.suppress(AssertionError):  # the judge says who has not
                await wait_until(lambda: not any(self.actors[host].runs for host in self.cast.clients),
                                 "all clients have settled", SETTLING)
            for edge in self.cast.edges:
                await self._ask_figures(edge)
        finally:
            watching.cancel()

    def close(self) -> None:
        """End every process, and take the network down."""
        for actor in self.actors.values():
            actor.kill()
        self.net.tear_down()

    # Faults.

    async def _begin(self, fault: Fault) -> None:
        self.history.write("fault", kind=fault.kind.value, who=fault.who, seconds=fault.seconds)
        host = fault.who[0]
        match fault.kind:
            case Kind.KILL:
                self._down.add(host)
                self.actors[host].kill()
            case Kind.TERM:
                self._down.add(host)
                self.actors[host].signal(signal.SIGTERM)
            case Kind.STOP:
                self.actors[host].signal(signal.SIGSTOP)
            case Kind.CUT:
                self._cut([fault.who, fault.who[::-1]])
            case Kind.ONE_WAY:
                self._cut([fault.who])
            case Kind.LOSE:
                await self._lose(fault)
            case Kind.DRAIN:
                await self._order(fault.who[0], f"/api/v1/nodes/{fault.who[1]}/drain")
            case Kind.MIGRATE:
                await self._migrate(host)

    async def _end(self, fault: Fault) -> None:
        host = fault.who[0]
        match fault.kind:
            case Kind.KILL:
                self._start(host)
            case Kind.TERM:
                with contextlib.suppress(AssertionError):
                    await wait_until(lambda: not self.actors[host].runs, f"{host} has ended", ENDING)
                self.actors[host].kill()
                self._start(host)
            case Kind.STOP:
                self.actors[host].signal(signal.SIGCONT)
            case Kind.CUT:
                self._heal([fault.who, fault.who[::-1]])
            case Kind.ONE_WAY:
                self._heal([fault.who])
            case Kind.LOSE:
                self._heal([fault.who, fault.who[::-1]])
                self._start(self._ends.pop(fault))
            case Kind.DRAIN:
                await self._order(fault.who[0], f"/api/v1/nodes/{fault.who[1]}/undrain")
            case Kind.MIGRATE:
                pass
        self.history.write("over", kind=fault.kind.value, who=fault.who)

    def _start(self, host: str) -> None:
        self._down.discard(host)
        if not self.actors[host].runs:
            self.actors[host].start()
            self.history.write("started", who=[host])

    def _cut(self, ways: Iterable[tuple[str, ...]]) -> None:
        for one, other in ways:
            self.net.cut(one, other)

    def _heal(self, ways: Iterable[tuple[str, ...]]) -> None:
        for one, other in ways:
            self.net.heal(one, other)

    async def _lose(self, fault: Fault) -> None:
        masters = [host for host in fault.who if await self._is_master(host)]
        master = masters[0] if masters else fault.who[0]
        self._ends[fault] = master
        self._down.add(master)
        self._cut([fault.who, fault.who[::-1]])
        await asyncio.sleep(LOST_FOR)
        self.actors[master].kill()
        self.history.write("lost", who=[master])

    async def _migrate(self, edge: str) -> None:
        answer = await self._asked(edge, f"/api/v1/sessions?limit={AT_ONCE}")
        for row in answer.get("sessions", ()):
            await self._order(edge, f"/api/v1/sessions/{row['session']}/migrate")

    # What is asked of the processes.

    async def _order(self, edge: str, path: str) -> None:
        await self._asked(edge, path, "POST")

    async def _asked(self, edge: str, path: str, method: str = "GET") -> dict[str, Any]:
        """What the admin door says; nothing if it does not answer."""
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http, http.request(
                    method, f"http://{self.net.hosts[edge]}:9070{path}", json={} if method == "POST" else None) as said:
                answer = dict(await said.json()) if "json" in said.content_type else {"text": await said.text()}
                return answer | {"status": said.status}
        except (aiohttp.ClientError, OSError, TimeoutError):
            return {}

    async def _is_there(self, host: str) -> bool:
        return bool(await self._replication(host))

    async def _is_master(self, host: str) -> bool:
        return (await self._replication(host)).get("role") == "master"

    async def _replication(self, host: str) -> dict[str, Any]:
        try:
            async with redis.asyncio.Redis(host=self.net.hosts[host], socket_timeout=1,
                                           socket_connect_timeout=1) as server:
                return dict(await server.info())
        except (RedisError, OSError):
            return {}

    async def _seen_long_ago(self) -> None:
        """As if edges had known the server for a day: they need not wait for the leases of one before it."""
        first = self.cast.redis[0]
        if len(self.cast.redis) > 1:  # a server's line of writes begins anew with its first replica
            await wait_until(lambda: self._has_replica(first), "the replica is there", STARTING)
        found = await self._replication(first)
        async with redis.asyncio.Redis(host=self.net.hosts[first]) as server:
            await server.hset("sbc:{edges}:stores", f"{found['run_id']}:{found['master_replid']}", "0")

    async def _has_replica(self, host: str) -> bool:
        return (await self._replication(host)).get("connected_slaves") == len(self.cast.redis) - 1

    async def _serving(self) -> None:
        """Start what does not run, and wait until every edge is ready and sees every node."""
        async def ready() -> bool:
            for host in self.cast.hosts:
                self._revive(host)
            for edge in self.cast.edges:
                for node in self.cast.nodes + self.cast.plain:
                    if len(nodes := await self._states(edge)) < len(self.cast.nodes + self.cast.plain):
                        return False
                    if nodes.get(node) != "up":
                        await self._order(edge, f"/api/v1/nodes/{node}/undrain")
                        return False
                if (await self._asked(edge, "/readyz")).get("status") != 200:
                    return False
            return True
        await wait_until(ready, f"everything serves: {self._place}", STARTING)

    async def _states(self, edge: str) -> dict[str, str]:
        rows = (await self._asked(edge, "/api/v1/nodes")).get("nodes", [])
        return {str(row["name"]).rpartition("/")[2]: str(row["state"]) for row in rows}

    def _revive(self, host: str) -> None:
        """A process that ended by itself is started again, as a supervisor would."""
        actor = self.actors[host]
        if host not in self._down and not actor.runs and host not in self.cast.clients:
            self.history.write("ended", who=[host])
            self._start(host)

    async def _watch(self) -> None:
        """Note how much memory everybody has, and start what ended by itself."""
        while True:
            await asyncio.sleep(1.0)
            self.history.write("memory", resident={host: actor.resident() for host, actor in self.actors.items()})
            await asyncio.gather(*(self._note_sessions(edge) for edge in self.cast.edges))
            for host in self.cast.hosts:
                self._revive(host)

    async def _note_sessions(self, edge: str) -> None:
        """Which sessions an edge says that it has; `asked`: it has them at that time at the earliest."""
        asked = time.time()
        rows = (await self._asked(edge, "/api/v1/sessions?limit=1000")).get("sessions", ())
        self.history.write("has", host=edge, asked=asked, sessions={row["session"]: row["epoch"] for row in rows})

    async def _ask_figures(self, edge: str) -> None:
        text = (await self._asked(edge, "/metrics")).get("text", "")
        figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("sbc_"))
        self.history.write("figures", edge=edge, figures=figures)
