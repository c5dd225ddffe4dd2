"""The other edges of the same store: what this one says to them of itself, who they are, and what operators ordered
there that counts here too: revocations, and nodes that are drained. And which nodes have a trunk to whom.

They say when they have given an order; that nothing is missed, the store is asked all the same now and then. What it is
asked by all of them grows with their number, not with the square of that: the more there are, the less often each asks
who they are, and which nodes they have is read for operators alone.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from sbc.config import Config
from sbc.core.hearsay import compare
from sbc.model.errors import Refusal, StoreError
from sbc.model.fellow import Fellow
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import NodeId
from sbc.model.interfaces import SharedStore
from sbc.model.worker import Worker
from sbc.runtime.house import House
from sbc.runtime.interconnect import WORD

OTHERS = 5.0
"""How often an edge looks what the others have ordered if it heard of nothing, in seconds."""
EDGES_A_SECOND = 50
"""Of so many others an edge reads in a second: up to that number it looks each second who there is. Of one that is new
its nodes know as soon as any edge does; to one that is gone nothing is sent that is not sent elsewhere then."""
SAID_AGAIN = 60.0
"""How often an edge says which nodes it has if they are the same, in seconds."""


class Host(Protocol):
    """The hall, as far as orders of others are carried out there."""

    house: House

    def revoke(self, revocation: Revocation) -> int:
        """It is in force. Raises Refusal."""

    def node_leaves(self, node: NodeId, deadline: float | None) -> None:
        """Move the sessions off a node."""

    def node_ready(self) -> None:
        """Some node may take sessions again."""


class Fellows:
    """Asks the store each second who is there, and for orders when there may be new ones."""

    def __init__(self, hall: Host, store: SharedStore, changed: Callable[[Sequence[Fellow]], None]) -> None:
        """changed: told of all edges when there are others than before."""
        self.edges: Sequence[Fellow] = ()
        """Those that had a lease when the store was asked last, this one among them, by name."""
        self._hall = hall
        self._store = store
        self._changed = changed
        self._look_at = 0.0
        """When to look who there is."""
        self._said: Sequence[Mapping[str, Any]] = ()
        self._said_at = -SAID_AGAIN
        """Which nodes others were told of, and when."""
        self._named: Sequence[tuple[str, Mapping[str, str]]] = ()
        self._looking = self._hearing = self._again = False
        self._heard = hall.house.loop.time()
        store.listen(self.hear)

    def introduce(self, config: Config, worker: Worker | None, address: str | None) -> None:
        """Say of ourselves what others have to know. address: of our interconnect."""
        words = {
            "trunk": config.trunk.advertise if config.trunk is not None else None,
            "edge": config.edge.name.partition("/")[0] if worker is not None else None, WORD: address,
        }  # fmt: skip
        self._store.introduce({name: said for name, said in words.items() if said is not None})

    def look(self) -> None:
        """A second has passed."""
        now = self._hall.house.loop.time()
        if not self._looking and now >= self._look_at:
            self._looking = True
            self._hall.house.spawn("edges", self._look())
        if now - self._heard >= OTHERS:
            self.hear()

    async def survey(self) -> Sequence[Fellow]:
        """The edges as they are at the moment, with the nodes that have a trunk to each, if the store says it."""
        await self._look()
        try:
            nodes = await self._store.members()
        except StoreError:
            return self.edges
        return [replace(edge, nodes=nodes.get(edge.name, ())) for edge in self.edges]

    async def _look(self) -> None:
        try:
            found = await self._store.edges()
        except StoreError:
            return  # readiness tells of it; who was there is dialled as before
        finally:
            self._looking = False
        self.edges = sorted(found, key=lambda fellow: fellow.name)
        self._look_at = self._hall.house.loop.time() + len(found) / EDGES_A_SECOND - 0.5
        named = [(fellow.name, fellow.words) for fellow in self.edges]
        if named != self._named:
            self._named = named
            self._changed(self.edges)

    def hear(self) -> None:
        """Some edge may have given an order."""
        self._heard = self._hall.house.loop.time()
        if self._hearing:
            self._again = True
        else:
            self._hearing = True
            self._hall.house.spawn("orders", self._hear())

    async def _hear(self) -> None:
        try:
            self._again = True
            while self._again:
                self._again = False
                await self._take(await self._store.words())
                await self._muster()
        except StoreError:
            pass  # readiness tells of it
        finally:
            self._hearing = False

    async def _take(self, found: Sequence[Revocation]) -> None:
        house = self._hall.house
        here = {(one.kind, one.name): one for table in (house.revocations, house.roster.drained) for one in table}
        news = compare(here, found)
        for revocation in news.revoke:
            with suppress(Refusal):  # there are too many
                self._revoke(revocation)
        for revocation in news.forgive:
            if revocation.kind is Revoked.NODE:
                house.roster.let_in(NodeId(revocation.name))
                self._hall.node_ready()
            else:
                house.revocations.forgive(revocation.kind, revocation.name)
        for revocation in news.restate:
            await self._store.revoke(revocation)

    async def _muster(self) -> None:
        members, now = self._members(), self._hall.house.loop.time()
        if members != self._said or now - self._said_at >= SAID_AGAIN:
            await self._store.muster(members)
            self._said, self._said_at = members, now

    def _members(self) -> list[dict[str, Any]]:
        """The nodes that have a trunk here."""
        return [{
            "node": node.id, "pool": node.pool, "url": node.url, "zone": node.zone, "labels": dict(node.labels),
            "capacity": node.capacity, "checkpoints": standing.checkpoints,
        } for standing in self._hall.house.roster if standing.trunk and (node := standing.node)]  # fmt: skip

    def _revoke(self, revocation: Revocation) -> None:
        if revocation.kind is Revoked.NODE:
            self._hall.house.roster.keep_out(revocation)
            self._hall.node_leaves(NodeId(revocation.name), None)
        else:
            self._hall.revoke(revocation)


def beside(hall: Host, changed: Callable[[Sequence[Fellow]], None]) -> Fellows | None:
    """The edges of the same store; None if no other edge can have it."""
    shared = hall.house.shared
    return Fellows(hall, shared, changed) if shared is not None else None
