"""Lists of nodes in files of their own (`pools.*.discover.files`): read and judged like those of the configuration."""

from pydantic import RootModel, ValidationError

from sbc.config.build import node_of
from sbc.config.explain import explain
from sbc.config.faults import lines
from sbc.config.load import text_of
from sbc.config.schema_pools import Node as Written
from sbc.config.tree import Unreadable, read
from sbc.model.errors import ConfigError
from sbc.model.ids import PoolName
from sbc.model.node import Node


class _Nodes(RootModel[list[Written]]):
    """A list of nodes, as under `pools.*.nodes`."""


def nodes_in(path: str, pool: PoolName) -> list[Node]:
    """The nodes in a file of YAML or JSON. Raises ConfigError with every fault in it."""
    text = text_of(path)
    try:
        tree = read(text)
    except Unreadable as unreadable:
        raise ConfigError(lines(unreadable.faults, path)) from None
    try:
        nodes = _Nodes.model_validate(tree.value).root
    except ValidationError as error:
        raise ConfigError(lines([*tree.faults, *explain(error, tree)], path)) from None
    if tree.faults:
        raise ConfigError(lines(tree.faults, path))
    return [node_of(pool, node) for node in nodes]
