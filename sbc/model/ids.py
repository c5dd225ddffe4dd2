"""The names things go by. All are strings on the wire; NewType keeps them from being mixed up."""

from typing import NewType

SessionId = NewType("SessionId", str)
"""A session's plain id, which nodes and operators see. Clients only ever see it sealed (core/seal.py)."""

NodeId = NewType("NodeId", str)
"""A node within the whole edge: `pool/name`."""

PoolName = NewType("PoolName", str)
AgentName = NewType("AgentName", str)

PrincipalId = NewType("PrincipalId", str)
"""Who a client was proven to be; without authentication, its address: `address:192.0.2.1`."""


def at_address(client: str) -> PrincipalId:
    """The principal of a client that nobody asks who it is. client: its address."""
    return PrincipalId("address:" + client)


def node_id(pool: str, name: str) -> NodeId:
    """The id of the node `name` of `pool`."""
    return NodeId(f"{pool}/{name}")


def node_name(node: NodeId) -> str:
    """The name a node has within its pool."""
    return node.partition("/")[2]


def pool_of(node: NodeId) -> PoolName:
    """The pool that a node is of."""
    return PoolName(node.partition("/")[0])
