"""Both ends of the interconnect of one worker or edge: what it forwards, and what is forwarded to it."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from sbc.config import Address, Config
from sbc.config import Interconnect as Terms
from sbc.model.fellow import Fellow
from sbc.model.interfaces import Spawn
from sbc.model.worker import Worker
from sbc.nodes.dial import Trust, load_trust
from sbc.runtime.arrivals import Arrivals, Bequests
from sbc.runtime.hall import Hall
from sbc.runtime.interconnect import Interconnect
from sbc.telemetry.metrics import Metrics
from sbc.tls import Shelf, Vouching, stock
from sbc.transports.interconnect import HEIR, NAME, Gate
from sbc.transports.sockets import Supply, bind


@dataclass(frozen=True, slots=True)
class Papers:
    """By what edges know each other."""

    shelf: Shelf
    """For those who come."""
    trust: Trust
    """For those who are gone to."""


def papers_of(config: Config) -> Papers | None:
    """None: there is no way between edges. Raises OSError or ssl.SSLError if a certificate cannot be used."""
    terms = config.edge.interconnect
    if terms is None:
        return None
    # Only edges come here, and all of them are of this kind: there is nothing older to speak to.
    shelf = stock([(terms.cert, terms.key)], "1.3", ("h2",), Vouching(terms.ca, required=True))
    return Papers(shelf, load_trust(terms.ca, terms.cert, terms.key, None))


def ways_out(spawn: Spawn, metrics: Metrics, config: Config, worker: Worker | None) -> Interconnect | None:
    """The way to other workers and edges; None: there are none. Raises OSError or ssl.SSLError."""
    papers = papers_of(config)
    if worker is None and papers is None:
        return None
    trust = papers.trust if papers is not None else None
    name = config.edge.name if worker is None else config.edge.name.rpartition("/")[0]
    return Interconnect(spawn, config.edge.h2_engine, metrics, name, worker, trust)


EDGES = "edges:"
"""By which name a process inherits the socket for other edges; no listener can have it."""


class Crossing:
    """Where others come in, and the end of both ways. Without others it does nothing."""

    def __init__(self, hall: Hall, out: Interconnect | None, config: Config, worker: Worker | None) -> None:
        """Raises OSError or ssl.SSLError if a certificate cannot be used."""
        self._hall = hall
        self._out = out
        self._worker = worker
        self._terms = config.edge.interconnect
        self._papers = papers_of(config)
        self._gate = Gate(Arrivals(hall), config.edge.h2_engine)
        self._of_predecessor = Gate(Bequests(hall), config.edge.h2_engine)
        self.socket: socket.socket | None = None
        """On which they come in."""
        self.address: str | None = None
        """Where other edges reach this one (host:port); None: nowhere."""

    def bind(self, supply: Supply) -> None:
        """Have the socket for edges. Raises OSError."""
        terms = self._terms
        if terms is None:
            return
        behind = self._worker.number if self._worker is not None else 0
        port = terms.listen.port + behind if terms.listen.port else 0
        self.socket = supply.take(EDGES, socket.SOCK_STREAM) or bind(terms.listen.host, port)
        self.address = advertised(terms, int(self.socket.getsockname()[1]), behind)

    async def open(self, supply: Supply) -> None:
        """Let others in. Raises OSError."""
        for name, gate in ((NAME, self._gate), (HEIR, self._of_predecessor)):
            sock = supply.take(name, socket.SOCK_STREAM)
            if sock is not None:
                await gate.open_to_processes(sock)
        if self.socket is not None and self._papers is not None:
            await self._gate.open_to_edges(self.socket, self._papers.shelf)

    def renew(self, papers: Papers | None) -> None:
        """By these edges know each other from now on, if there are any; what is under way goes on to its end."""
        self._papers = papers
        if papers is not None and self._out is not None:
            self._gate.shelf = papers.shelf
            self._out.trust(papers.trust)

    def meet(self, fellows: Sequence[Fellow]) -> None:
        """These are the edges that share the store."""
        if self._out is not None:
            self._out.meet(fellows)

    def retire(self) -> None:
        """Let nobody in any more; what is under way goes on to its end."""
        self._gate.retire()
        self._of_predecessor.retire()

    def close(self) -> None:
        """End all that goes out."""
        for pipe in list(self._hall.pipes):
            pipe.abort()
        if self._out is not None:
            self._out.close()


def advertised(terms: Terms, port: int, behind: int) -> str:
    """Where other edges reach a worker that has this port. behind: how far its port is behind the first worker's."""
    if terms.advertise is None:
        return str(Address(terms.listen.host, port))
    host, _, written = terms.advertise.rpartition(":")
    return f"{host}:{int(written) + behind}"
