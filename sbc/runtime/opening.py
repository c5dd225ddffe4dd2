"""What an edge opens when it starts: all of it is made before anything is let in, for that is what can fail."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from socket import SOCK_SEQPACKET, SOCK_STREAM, socket

from sbc.config import Config
from sbc.model.identity import Revocation, Revoked
from sbc.model.interfaces import Reception
from sbc.model.worker import Worker
from sbc.nodes.trunk import TrunkDoor
from sbc.runtime.fleet import Fleet
from sbc.runtime.house import House
from sbc.runtime.reload import security_of, terms_of, trunk_terms
from sbc.telemetry.metrics import QuicTally
from sbc.telemetry.records import RecordWriter
from sbc.transports.listener import Listener
from sbc.transports.quic.passing import WAY
from sbc.transports.quic.sorting import Sorting
from sbc.transports.sockets import Sockets, Supply, bind


def doors_of(config: Config, reception: Reception, supply: Supply, sorting: Sorting,
             tally: QuicTally) -> list[tuple[Listener, Sockets]]:  # fmt: skip
    """The listeners, with their sockets. Raises OSError, ssl.SSLError."""
    built = []
    for listener in config.listeners:
        door = Listener(listener.name, reception, security_of(listener), terms_of(listener, config), tally, sorting)
        where = listener.listen
        built.append((door, supply.sockets(listener.name, where.host, where.port, door.terms)))
    return built


def trunk_socket(config: Config, supply: Supply) -> socket | None:
    """For nodes; None: they have no trunk. Raises OSError."""
    if config.trunk is None:
        return None
    where = config.trunk.listen
    # aiohttp would listen by itself, but name no address when it cannot.
    return supply.take("trunk", SOCK_STREAM) or bind(where.host, where.port)


def join_fellows(sorting: Sorting, worker: Worker | None, supply: Supply) -> None:
    """Have what comes by QUIC where its connection is, among the workers."""
    if worker is not None:
        way_in, *out = iter(partial(supply.take, WAY, SOCK_SEQPACKET), None)
        others = [number for number in range(worker.count) if number != worker.number]
        sorting.join(way_in, dict(zip(others, out, strict=True)))


def record_writer(config: Config) -> RecordWriter | None:
    """None: no records are kept. Raises RecordsError."""
    path = config.edge.records
    return RecordWriter(Path(path), Path(path).with_suffix(".key")) if path else None


def trunk_door(config: Config, fleet: Fleet) -> TrunkDoor | None:
    """Where nodes dial in; None: nowhere. Raises OSError, ssl.SSLError."""
    terms = trunk_terms(config)
    return None if terms is None else TrunkDoor(fleet, edge=config.edge.name, secret=terms.secret, ssl=terms.tls)


def recall(house: House, on_record: Sequence[Revocation]) -> None:
    """What operators ordered before this edge was started."""
    for table, of_nodes in ((house.revocations, False), (house.roster.drained, True)):
        table.restore([one for one in on_record if (one.kind is Revoked.NODE) is of_nodes])
