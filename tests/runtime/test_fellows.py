"""Edges of one store: who is there, and orders that were given elsewhere."""

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from sbc.core.health import Health
from sbc.core.revocations import Revocations
from sbc.core.roster import Roster, Standing
from sbc.model.errors import StoreError
from sbc.model.fellow import Fellow
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import PoolName, node_id
from sbc.model.node import Node, Probe
from sbc.runtime.fellows import EDGES_A_SECOND, OTHERS, SAID_AGAIN, Fellows

POOL = PoolName("p")
A = node_id(POOL, "a")


class Shared:
    """A store that others have too; None: it is away."""

    def __init__(self) -> None:
        self.there: list[Fellow] | None = []
        self.found: list[Revocation] | None = []
        self.restated: list[str] = []
        self.mustered: list[list[str]] = []
        self.read = 0
        self.elsewhere: dict[str, list[dict[str, Any]]] = {}
        self.ordered: Callable[[], None] = list

    def listen(self, ordered: Callable[[], None]) -> None:
        self.ordered = ordered

    async def edges(self) -> Sequence[Fellow]:
        if self.there is None:
            raise StoreError("away")
        self.read += 1
        return list(self.there)

    async def words(self) -> Sequence[Revocation]:
        if self.found is None:
            raise StoreError("away")
        return list(self.found)

    async def muster(self, members: Sequence[dict[str, Any]]) -> None:
        self.mustered.append([member["node"] for member in members])

    async def members(self) -> dict[str, list[dict[str, Any]]]:
        return dict(self.elsewhere)

    async def revoke(self, revocation: Revocation) -> None:
        self.restated.append(revocation.name)


class Scene:
    def __init__(self) -> None:
        self.clock, self.work = SimpleNamespace(now=0.0), list[Any]()
        self.revocations, self.roster, self.store = Revocations(), Roster(), Shared()
        self.roster.put(Standing(Node(A, POOL, "http://a"), Health(Probe(), 0.0), configured=True))
        self.left: list[str] = []
        self.told: list[list[str]] = []
        house = SimpleNamespace(loop=SimpleNamespace(time=lambda: self.clock.now), revocations=self.revocations,
                                spawn=lambda _, task: self.work.append(task), roster=self.roster)
        hall: Any = SimpleNamespace(house=house, revoke=self.revocations.take, node_ready=lambda: None,
                                    node_leaves=lambda node, _: self.left.append(node))
        store: Any = self.store
        self.fellows = Fellows(hall, store, lambda edges: self.told.append([edge.name for edge in edges]))

    async def later(self, seconds: float = OTHERS) -> list[str]:
        """What is revoked then."""
        self.clock.now += seconds
        self.fellows.look()
        while self.work:
            await self.work.pop(0)
        return [one.name for one in self.revocations]


async def test_what_other_edges_revoke_is_revoked_here() -> None:
    scene = Scene()
    ours, theirs = (Revocation(Revoked.TOKEN, name, 1.0, 9e9) for name in ("ours", "theirs"))
    scene.revocations.take(ours)
    assert await scene.later() == ["ours"] and scene.store.restated == ["ours"], "the store has lost it"
    scene.store.found = [theirs, ours]
    assert await scene.later(OTHERS / 2) == ["ours"], "nobody has said anything"
    scene.store.ordered()
    assert await scene.later(0) == ["ours", "theirs"]
    scene.store.found = None
    assert await scene.later() == ["ours", "theirs"], "a store that is away takes nothing back"
    scene.store.found = [ours, Revocation(Revoked.TOKEN, "theirs", 2.0, 0.0)]
    assert await scene.later() == ["ours"], "they have forgiven it"
    scene.store.found = [Revocation(Revoked.TOKEN, "ours", 0.5, 0.0)]
    assert await scene.later() == ["ours"], "it was revoked again since"
    assert scene.store.restated == ["ours", "ours"]


async def test_a_node_that_is_drained_elsewhere_is_drained_here() -> None:
    scene = Scene()
    scene.store.found = [Revocation(Revoked.NODE, A, 1.0, math.inf), Revocation(Revoked.NODE, "p/b", 1.0, math.inf)]
    assert await scene.later() == [] and scene.left == [A, "p/b"]
    found = scene.roster.get(A)
    assert found is not None and found.health.draining
    late = Standing(Node(node_id(POOL, "b"), POOL, "http://b"), Health(Probe(), 0.0), configured=True)
    scene.roster.put(late)
    assert late.health.draining, "it was drained before it came"
    scene.store.found = [Revocation(Revoked.NODE, A, 2.0, 0.0), Revocation(Revoked.NODE, "p/b", 2.0, 0.0)]
    await scene.later()
    assert not found.health.draining and not late.health.draining
    assert not list(scene.roster.drained) and scene.store.restated == []


async def test_who_is_there_is_told_when_it_changes() -> None:
    scene = Scene()
    one, two = Fellow("one", {"trunk": "ws://one"}, 0.1), Fellow("two", {}, 5.0)
    scene.store.there = [two, one]
    await scene.later(1.0)
    scene.store.there = [Fellow("one", {"trunk": "ws://one"}, 0.4), two]
    await scene.later(1.0)
    scene.store.there = None
    await scene.later(1.0)
    assert scene.told == [["one", "two"]]
    assert [edge.state for edge in scene.fellows.edges] == ["up", "silent"]
    scene.store.there = [one]
    await scene.later(1.0)
    assert scene.told == [["one", "two"], ["one"]]


async def test_which_nodes_have_a_trunk_to_whom() -> None:
    scene = Scene()
    await scene.later()
    assert scene.store.mustered == [[]]
    found = scene.roster.get(A)
    assert found is not None
    found.trunk = True
    scene.store.there = [Fellow("two", {}, 0.1), Fellow("one", {}, 0.1)]
    scene.store.found, scene.store.elsewhere = [], {"two": [{"node": "p/b"}], "gone": [{"node": "p/c"}]}
    await scene.later()
    await scene.later()
    assert scene.store.mustered == [[], [A]], "once, as long as they are the same"
    await scene.later(SAID_AGAIN)
    assert scene.store.mustered == [[], [A], [A]]
    survey = await scene.fellows.survey()
    assert [(edge.name, list(edge.nodes)) for edge in survey] == [("one", []), ("two", [{"node": "p/b"}])]
    scene.store.there = None
    assert [edge.name for edge in await scene.fellows.survey()] == ["one", "two"], "as it was known last"


@pytest.mark.parametrize(("edges", "each"), [(1, 1), (EDGES_A_SECOND, 1), (4 * EDGES_A_SECOND, 4)])
async def test_the_more_edges_there_are_the_less_often_each_asks_for_all_of_them(edges: int, each: int) -> None:
    scene = Scene()
    scene.store.there = [Fellow(f"edge-{number}", {}, 0.1) for number in range(edges)]
    for _ in range(40):
        await scene.later(1.0)
    assert scene.store.read == 40 // each
