"""What the configuration says of the network, in the form in which pools and the warden take it."""

from collections.abc import Mapping

from sbc.config import Config
from sbc.kernel.orders import Shape, Share, Unshape
from sbc.kernel.ward import Ward
from sbc.model.ids import PoolName
from sbc.model.manifest import Continuity
from sbc.model.marking import Mark
from sbc.model.worker import Worker
from sbc.nodes.pool import Pool


def marks_of(config: Config) -> dict[PoolName, Mark]:
    """What connections to the nodes of a pool bear that sessions share: the mark of the highest of its classes."""
    marks: dict[PoolName, Mark] = {}
    for manifest in config.agents.values():
        mark, former = manifest.mark, marks.get(manifest.pool)
        if mark is not None and (former is None or mark.rank < former.rank):
            marks[manifest.pool] = mark
    return marks


def shape(ward: Ward, config: Config) -> None:
    """Order the shaping that the configuration asks for, and no other."""
    wanted = {} if config.kernel is None else {
        shaping.device: Shape(shaping.device, shaping.rate, _shares(config, shaping.shares))
        for shaping in config.kernel.shaping
    }  # fmt: skip
    for device in ward.kept():
        if device not in wanted:
            ward.drop(device, Unshape(device))
    for device, order in wanted.items():
        ward.keep(device, order)


def _shares(config: Config, rates: Mapping[Continuity, int]) -> tuple[Share, ...]:
    """Those of the classes that are marked. Two classes with the same mark are one: the kernel knows nothing else."""
    shares: dict[int, int] = {}
    for class_, dscp in config.marking.items():
        if dscp is not None:
            shares[dscp] = shares.get(dscp, 0) + rates[class_]
    return tuple(Share(dscp, rate) for dscp, rate in shares.items())


def order(pool: Pool, ward: Ward | None, config: Config, worker: Worker | None) -> None:
    """What a configuration says of the network. worker: which one of its edge this is; None: the only one."""
    pool.bear(marks_of(config))
    if ward is not None and (worker is None or worker.number == 0):  # a device is shaped once for all workers
        shape(ward, config)
