"""Which node takes a session: constraints first, then order.

Among the nodes that may take it, rendezvous hashing picks the same few for the same session every time (Thaler and
Ravishankar 1998), and the least loaded of these is the owner: stable, and free of the herding that comes from load
alone (Mitzenmacher 2001, the power of two choices). The replica stands in another zone where there is one.
"""

from collections.abc import Callable, Collection, Iterable
from hashlib import blake2b

from sbc.model.ids import NodeId, SessionId
from sbc.model.manifest import Placement
from sbc.model.node import Node

CHOICES = 3

LoadOf = Callable[[Node], float]
"""How full a node is, 0 to 1; it may take nothing at 1 or more."""


def suits(node: Node, placement: Placement) -> bool:
    """Whether a node meets an agent's constraints."""
    if placement.regions and not any(node.in_region(region) for region in placement.regions):
        return False
    return all(node.labels.get(label) == value for label, value in placement.labels.items())


def choose_owner(
    session: SessionId, nodes: Iterable[Node], load_of: LoadOf, prefer: NodeId | None = None
) -> Node | None:
    """The node for a session among those that may take it: `prefer` if it is there, else by rendezvous and load."""
    free = [(node, load) for node in nodes if (load := load_of(node)) < 1.0]
    for node, _ in free:
        if node.id == prefer:
            return node
    if len(free) > 1:
        free.sort(key=lambda choice: _weight(session, choice[0].id), reverse=True)
    return min(free[:CHOICES], key=lambda choice: choice[1])[0] if free else None


def choose_replica(
    session: SessionId, owner: Node, nodes: Iterable[Node], load_of: LoadOf, spread: str | None
) -> Node | None:
    """Another node than the owner, in another zone if `spread` is `zone` and there is one."""
    others = [node for node in nodes if node.id != owner.id]
    apart = [node for node in others if node.zone != owner.zone] if spread == "zone" else []
    return choose_owner(session, apart, load_of) or choose_owner(session, others, load_of)


def _weight(session: SessionId, node: NodeId) -> bytes:
    # Not a CRC: it is linear, so that two nodes would stand in nearly the same order for every session.
    return blake2b(f"{session} {node}".encode(), digest_size=8).digest()


def without(nodes: Iterable[Node], avoid: Collection[NodeId]) -> list[Node]:
    """The nodes that are not to be avoided."""
    return [node for node in nodes if node.id not in avoid]
