"""Edges on one Redis while all kinds of things go wrong, from a seed; and a checker of who owned what when.

    python -m tests.cluster.redis_history --seed 7 --seconds 300

Clients wander: each claims its session at some edge, again and again, or begins it where there is none. Edges are cut
off from the server, die and come again; the server is stopped, killed and started empty. Whoever had a session goes on
writing to its journal after it has let go, which nobody may ever read.
"""

import argparse
import asyncio
import random
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from sbc.model.errors import StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals
from sbc.runtime.tasks import Tasks
from tests.cluster.redis_edges import Edge
from tests.stores.asking import creating, dialog
from tests.support.redis import Redis, Wire

LEASE = 1.0
SESSIONS = 12
EDGES = 3
STALE = b"stale"


@dataclass
class Tenancy:
    """One edge had a session at one epoch, from when it was told so."""

    session: str
    edge: str
    epoch: int
    since: float
    until: float = float("inf")


@dataclass
class History:
    tenancies: list[Tenancy] = field(default_factory=list)
    lost: int = 0
    """Sessions that were begun anew, for the server had forgotten them with their edge."""

    def check(self) -> None:
        """Raise AssertionError if a session had two owners, or an epoch came again."""
        last: dict[str, Tenancy] = {}
        for found in self.tenancies:
            before = last.get(found.session)
            if before is not None:
                assert before.until <= found.since, f"two owners: {before} {found}"
                assert before.epoch < found.epoch, f"an epoch came again: {before} {found}"
            last[found.session] = found


class Place:
    """An edge with its way to the server, which may die and come again."""

    def __init__(self, name: str, wire: Wire, tasks: Tasks, history: History) -> None:
        self.name = name
        self.wire = wire
        self.history = history
        self._tasks = tasks
        self._made = 0
        self.edge: Edge | None = None
        self.now = asyncio.get_running_loop().time

    async def come(self) -> None:
        edge = Edge(self.name, f"redis://127.0.0.1:{self.wire.port}", self._tasks, LEASE, patience=0.3)
        try:
            await edge.store.open()
        except StoreError:
            return
        edge.gone = self._gone
        self.edge = edge

    def die(self) -> None:
        edge, self.edge = self.edge, None
        if edge is not None:
            edge.fenced()
            edge.die()

    def _gone(self, session: SessionId) -> None:
        for found in reversed(self.history.tenancies):
            if found.session == session and found.edge == self.name and found.until == float("inf"):
                found.until = self.now()
        if self.edge is not None:
            self.edge.store.journal(session, True, 1_000_000, [STALE])

    def has(self, session: str, epoch: int) -> None:
        self.history.tenancies.append(Tenancy(session, self.name, epoch, self.now()))

    async def take(self, session: str) -> None:
        """A client comes here for its session."""
        edge = self.edge
        if edge is None or SessionId(session) in edge.live:
            return
        claimed = await edge.store.claim(SessionId(session))
        if edge is not self.edge:
            return
        if claimed is None:
            begun = dialog(session, edge.store.first_epoch() + 1)
            if await creating(edge.store, begun) is None and edge is self.edge:
                self.history.lost += any(found.session == session for found in self.history.tenancies)
                edge.live[SessionId(session)] = begun, Journals((1, []), (1, []))
                self.has(session, begun.binding.epoch)
            return
        stored, journals = claimed
        assert STALE not in journals.from_client[1], "what a former owner said has been believed"
        edge.live[SessionId(session)] = claimed
        self.has(session, stored.binding.epoch)


async def wander(number: int, places: list[Place], dice: random.Random) -> None:
    while True:
        try:
            async with asyncio.timeout(5):
                await dice.choice(places).take(f"s-{number}")
        except (StoreError, TimeoutError):
            pass
        await asyncio.sleep(dice.uniform(0.01, 0.3))


async def trouble(redis: Redis, places: list[Place], dice: random.Random) -> None:
    while True:
        await asyncio.sleep(dice.uniform(0.2, 1.0))
        place = dice.choice(places)
        match dice.choice(("cut", "cut", "die", "die", "stop", "kill", "calm")):
            case "cut":
                place.wire.cut()
                await asyncio.sleep(dice.uniform(0.1, 2 * LEASE))
                place.wire.heal()
            case "die":
                place.die()
                await asyncio.sleep(dice.uniform(0.0, LEASE))
            case "stop":
                redis.signal(signal.SIGSTOP)
                await asyncio.sleep(dice.uniform(0.1, 1.5 * LEASE))
                redis.signal(signal.SIGCONT)
            case "kill":
                redis.stop()
                await asyncio.sleep(dice.uniform(0.0, LEASE / 2))
                redis.start()
            case _:
                await asyncio.sleep(2 * LEASE)
        for other in places:
            if other.edge is None:
                async with asyncio.timeout(20):
                    await other.come()


async def play(directory: Path, seed: int, seconds: float) -> History:
    """Raises AssertionError: the history is not as it has to be."""
    dice, history = random.Random(seed), History()
    redis = Redis(directory).start()
    redis.seen_long_ago()
    wires = [await Wire(redis.port).open() for _ in range(EDGES)]
    try:
        async with Tasks() as tasks:
            places = [Place(f"edge-{number}", wire, tasks, history) for number, wire in enumerate(wires)]
            for place in places:
                await place.come()
            work = [asyncio.create_task(wander(number, places, random.Random(dice.random())))
                    for number in range(SESSIONS)]
            work.append(asyncio.create_task(trouble(redis, places, dice)))
            done, _ = await asyncio.wait(work, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            for task in work:
                task.cancel()
            for task in done:
                task.result()
            for place in places:
                place.die()
    finally:
        redis.stop()
        for wire in wires:
            await wire.close()
    history.check()
    return history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        history = asyncio.run(play(Path(place), options.seed, options.seconds))
    print(f"{len(history.tenancies)} tenancies, {history.lost} begun anew: one owner at a time, and no epoch twice")


if __name__ == "__main__":
    main()
