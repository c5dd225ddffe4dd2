"""The other edges of the same store: what this one says to them of itself, who they are, and what operators ordered
there that counts here too: revocations, and nodes that are drained. And which nodes have a trunk to whom.

They say when they have given an order; that nothing is missed, the store is asked all the same now and then.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from sbc.core.hearsay import compare
from sbc.model.errors import Refusal, StoreError
from sbc.model.fellow import Fellow
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import NodeId
from sbc.model.interfaces import SharedStore
from sbc.runtime.house import House

OTHERS = 5.0
"""How often an edge looks what the others have ordered if it heard of nothing, in seconds."""


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
        self._nodes: Mapping[str, Sequence[Mapping[str, Any]]] = {}
        """Which have a trunk to which edge, as these said last."""
        self._named: Sequence[tuple[str, Mapping[str, str]]] = ()
        self._looking = self._hearing = self._again = False
        self._heard = hall.house.loop.time()
        store.listen(self.hear)

    def introduce(self, words: Mapping[str, str | None]) -> None:
        """Say this of ourselves, as far as there is anything to say."""
        self._store.introduce({name: said for name, said in words.items() if said is not None})

    def look(self) -> None:
        """A second has passed."""
        if not self._looking:
            self._looking = True
            self._hall.house.spawn("edges", self._look())
        if self._hall.house.loop.time() - self._heard >= OTHERS:
            self.hear()

    async def _look(self) -> None:
        try:
            found = await self._store.edges()
        except StoreError:
            return  # readiness tells of it; who was there is dialled as before
        finally:
            self._looking = False
        self.edges = [replace(fellow, nodes=self._nodes.get(fellow.name, ()))
                      for fellow in sorted(found, key=lambda fellow: fellow.name)]  # fmt: skip
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
                self._nodes = await self._store.muster(self._members())
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
