"""On paper: 10 million sessions over 200 edges on one sharded Redis, from what was measured of one edge and one server.

Nothing is run here: steady loads are arithmetic, and what happens after a death is simulated client by client, through
the queues that each has to pass (its new edge's processors, the store's shards, the nodes' pace). docs/SCALE.md says
what is assumed, and what follows.
"""

import argparse
import random
from dataclasses import asdict, dataclass
from typing import Any

from bench.common.measured import Measured, measured
from bench.common.stage import arguments, perform
from bench.common.tables import percentile, table
from sbc.core.health import beat_every
from sbc.core.tenure import outlast
from sbc.runtime.fellows import EDGES_A_SECOND
from sbc.runtime.pace import AT_ONCE
from sbc.stores.redis_claims import LOOKS_APART, PATIENCE
from sbc.stores.redis_lease import BEAT

NOTICED = 0.2
"""Seconds within which clients learn that their connection is closed."""
AGAIN = (1.0, 1.5)
"""Seconds after which a client asks again that was told `Retry-After: 1`."""
FELLOW_US, FELLOW_BYTES = 0.3, 100
"""Of one edge in the list of edges that each of them reads now and then: assumed, not measured."""
CLAIM_SCRIPTS = 4
"""A claim's questions at the store: peek, look, claim, and the binding of the node that goes on."""
SEATING = 0.005
"""Seconds for which a node's turn is taken by one session (runtime/pace.py)."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is assumed. docs/SCALE.md says why."""

    sessions: int = 10_000_000
    edges: int = 200
    cores: int = 8
    shards: int = 32
    sessions_per_node: int = 500
    echoes: float = 0.05
    """Turns a second of a session: a message of the client's, and one of the node's."""
    message: int = 300
    lasts: float = 1800.0
    """Seconds of a session."""
    journaled: int = 20
    """Messages of a session in the store between checkpoints, of those agents that keep any."""
    asynchronous: float = 0.35
    synchronous: float = 0.05
    """Shares of sessions by `durability`; the rest has none."""
    lease: float = 45.0
    pace: float = 1000.0
    """`drain.pace`."""

    @property
    def here(self) -> float:
        """Sessions of an edge."""
        return self.sessions / self.edges


def steady(load: Load, cost: Measured) -> list[list[Any]]:
    """Name, value, unit, and of what there is one."""
    begun, echoes = load.sessions / load.lasts, load.sessions * load.echoes
    edge_us = (begun * cost.session_us + echoes * (
        cost.echo_us + load.asynchronous * cost.async_us + load.synchronous * cost.sync_us)) / load.edges
    kept = (load.asynchronous + load.synchronous) * load.journaled
    tenures = load.edges * load.cores
    # A checkpoint for each turn of those that are not plain, bindings begun and removed.
    store_us = (echoes * (load.asynchronous * cost.redis_async_us + load.synchronous * cost.redis_sync_us)
                + (echoes * (load.asynchronous + load.synchronous) + 2 * begun) * cost.redis_async_us) / load.shards
    wire = echoes * 2 * (load.message + 100) * 2 / load.edges
    return [
        ["edge: processors busy of so many", edge_us / 1e6, load.cores],
        ["edge: memory of sessions, GiB", load.here * (cost.session_bytes + kept * load.message) / 2**30, None],
        ["edge: network, Mbit/s, both ways", wire * 8 / 1e6, None],
        ["shard: processors busy of 1", store_us / 1e6, 1],
        ["shard: memory, GiB", load.sessions / load.shards * (
            cost.binding_bytes + kept * cost.message_bytes) / 2**30, None],
        [f"shard of the leases, {tenures:,} workers: busy of 1", leases(tenures, cost), 1],
        ["the same: Mbit/s of lists of edges", tenures * named(tenures) * FELLOW_BYTES * 8 / 1e6, None],
        [f"shard of the leases, {load.edges:,} of one worker: busy of 1", leases(load.edges, cost), 1],
        ["the same: Mbit/s of lists of edges", load.edges * named(load.edges) * FELLOW_BYTES * 8 / 1e6, None],
        ["edge: heartbeats of nodes a second", load.sessions / load.sessions_per_node / beat_every(
            int(load.sessions / load.sessions_per_node)), None],
        ["new sessions a second, all edges", begun, None],
    ]


def leases(tenures: int, cost: Measured) -> float:
    """Processors of the shard that has all leases: each is renewed, and each reads who else there is."""
    lists = named(tenures)
    return tenures * (cost.script_us / BEAT + cost.script_us * lists / tenures + lists * FELLOW_US) / 1e6


def named(tenures: int) -> int:
    """How many edges are named to one of them in a second (runtime/fellows.py)."""
    return min(tenures, EDGES_A_SECOND)


def let_in(dice: random.Random, found: float) -> float:
    """When a client's claim is not refused any more. found: when others take its edge for dead."""
    at = dice.uniform(0.0, NOTICED)
    while at + PATIENCE < found:
        at += PATIENCE + dice.uniform(*AGAIN)
    return max(at, found)


def edge_dies(load: Load, cost: Measured, found: float, dice: random.Random) -> list[float]:
    """Seconds after the death of an edge until each of its clients is served again."""
    others, nodes = load.edges - 1, int(load.sessions / load.sessions_per_node)
    spare = load.cores * 0.5
    edge_free, shard_free, node_free = [0.0] * others, [0.0] * load.shards, [[0.0] * AT_ONCE for _ in range(nodes)]
    back: list[float] = []
    for came in sorted(let_in(dice, found) for _ in range(int(load.here))):
        edge = dice.randrange(others)
        edge_free[edge] = at = max(came, edge_free[edge]) + cost.session_us / spare / 1e6
        shard = dice.randrange(load.shards)
        shard_free[shard] = at = max(at, shard_free[shard]) + CLAIM_SCRIPTS * cost.script_us / 1e6
        seats = node_free[dice.randrange(nodes)]
        place = min(range(AT_ONCE), key=seats.__getitem__)
        seats[place] = at = max(at, seats[place]) + SEATING
        back.append(at)
    return back


def deaths(load: Load, cost: Measured) -> list[list[Any]]:
    dice = random.Random(1)
    rows: list[list[Any]] = []
    for what, found in (("edge killed: its connection to Redis closes", 2 * LOOKS_APART),
                        ("machine lost: its lease has to end", outlast(load.lease))):
        back = edge_dies(load, cost, found, dice)
        rows.append([what, len(back), percentile(back, 0.5), percentile(back, 0.99), max(back)])
    drained = load.here / load.pace
    rows.append(["edge drained at its pace", int(load.here), drained / 2, drained * 0.99, drained])
    gap = cost.gap_ms / 1000
    rows.append(["node killed", load.sessions_per_node, gap / 2, gap, gap])
    return rows


def failover(load: Load, cost: Measured) -> list[list[Any]]:
    """A shard is another server than before: each edge states all of its sessions anew."""
    kept = (load.asynchronous + load.synchronous) * load.journaled
    statement = cost.script_us + kept * cost.redis_async_us / 2
    octets = cost.binding_bytes + kept * load.message
    shard = load.sessions / load.shards * statement / 1e6
    return [
        ["stated anew by an edge, MB", load.here * octets / 1e6],
        ["a shard's processor for it, s", shard],
        ["must be less than the lease, s", load.lease],
        ["shards needed for half of the lease", load.sessions * statement / 1e6 / (load.lease / 2)],
        ["claims wait for, s", outlast(load.lease)],
    ]


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    load, cost = Load(options.sessions, options.edges, options.cores, options.shards), measured()
    steadily, died, failed = steady(load, cost), deaths(load, cost), failover(load, cost)
    text = "\n".join([
        table(f"{load.sessions:,} sessions, {load.edges} edges of {load.cores} processors, {load.shards} shards",
              ["all the time", "", "of"], steadily),
        table("Until sessions are served again, s", ["", "sessions", "p50", "p99", "last"], died),
        table("A shard fails over", ["", ""], failed),
    ])
    return text, {"load": asdict(load), "measured": asdict(cost), "steady": steadily, "deaths": died,
                  "failover": failed}


def more(parser: argparse.ArgumentParser) -> None:
    usual = Load()
    for name in ("sessions", "edges", "cores", "shards"):
        parser.add_argument(f"--{name}", type=int, default=getattr(usual, name), help="(%(default)s)")


if __name__ == "__main__":
    perform("plan", arguments("A plan on paper for many sessions over many edges.", more, peers=None), play)
