"""A worker's part of a configuration: every bound of the edge as a whole is divided among the workers, what does not
divide goes to the first ones; and each has a name, a file for its store and a file for its records of its own.

The kernel's shaping is a device's: the first worker orders it.
"""

from dataclasses import replace
from pathlib import PurePath

from sbc.config.model import Config, Edge
from sbc.model.capacity import Capacity

_SQLITE = "sqlite:"


def share(whole: int, number: int, count: int) -> int:
    """What worker `number` of `count` has of a bound."""
    return whole // count + (number < whole % count)


def portion(config: Config, number: int, count: int) -> Config:
    """The part of worker `number` (from 0) of `count`."""
    kernel = config.kernel
    return replace(
        config, edge=_edge(config.edge, number),
        capacity=_capacity(config.capacity, number, count),
        kernel=kernel if kernel is None or number == 0 else replace(kernel, shaping=()),
    )


def _edge(edge: Edge, number: int) -> Edge:
    store = edge.store
    if store.startswith(_SQLITE):
        store = _SQLITE + own_file(store.removeprefix(_SQLITE), number)
    records = None if edge.records is None else own_file(edge.records, number)
    return replace(edge, name=f"{edge.name}/{number}", store=store, records=records)


def own_file(path: str, number: int) -> str:
    """`var/sbc.db` of worker 1 is `var/sbc-1.db`."""
    whole = PurePath(path)
    return str(whole.with_name(f"{whole.stem}-{number}{whole.suffix}"))


def _capacity(capacity: Capacity, number: int, count: int) -> Capacity:
    return replace(
        capacity,
        sessions=None if capacity.sessions is None else share(capacity.sessions, number, count),
        journals=None if capacity.journals is None else share(capacity.journals, number, count),
        memory=None if capacity.memory is None else share(capacity.memory, number, count),
        processes=count,
        waiting=share(capacity.waiting, number, count),
        drain_pace=capacity.drain_pace / count,
    )
