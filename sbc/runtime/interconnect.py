"""The way to other workers and edges, for what this one's clients ask of sessions that are there: one hop, never two.

Decided elsewhere is what goes there: runtime/siblings.py (workers, each with a store of its own), runtime/afar.py (a
store that edges share). How it goes: runtime/http/passing.py, runtime/websocket/passing.py. How it comes in there:
transports/interconnect.py, runtime/arrivals.py.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Protocol

from sbc.core.fields import without
from sbc.core.forwarding import BETWEEN_EDGES, HOP_BY_HOP
from sbc.core.homes import Homes
from sbc.model.fellow import Fellow
from sbc.model.http import Fields, Request, Response, first
from sbc.model.ids import PoolName, SessionId, node_id
from sbc.model.interfaces import Spawn
from sbc.model.node import Node
from sbc.model.streams import Answerer, NodeStream
from sbc.model.worker import Worker
from sbc.nodes.dial import Trust
from sbc.nodes.passage import Passage
from sbc.nodes.pool import Pool
from sbc.telemetry.metrics import Metrics
from sbc.wire.hop import FIELD, Hop, Question

POOL = PoolName("interconnect")
NAME = POOL.encode()
WORD = "interconnect"
"""By which an edge tells the others where it is reached."""
ANSWER_PATIENCE = 1.0
"""How long another one may take to say whether it knows a session, in seconds."""
MOST_NODES = 1024
"""Addresses of others that are remembered; of more all are forgotten."""

Known = Callable[[bool | None], None]
"""Told whether a session is known there; None: there was no answer."""


Arrived = tuple[Fields, str, bool, str]
"""What a request said when it came, before anything of it was changed: its fields, and who its client was, whether it
came over TLS, whom the certificate named. A plain tuple, for it is made with every request."""


class Underway(Protocol):
    """A request that is passed on (runtime/http/passing.py)."""

    @property
    def standing(self) -> bool:
        """Whether nobody waits for the end of its answer."""

    def abandon(self) -> None:
        """The edge stops: nothing more comes of it."""


class Interconnect:
    """One for all of an edge."""

    def __init__(self, spawn: Spawn, engine: str, metrics: Metrics, name: str, worker: Worker | None,
                 trust: Trust | None) -> None:  # fmt: skip
        """engine: see Pool. name: the edge's, without a worker's number. worker: which one of its edge this is; None:
        the only one. trust: how TLS is spoken to other edges; None: they are not reached."""
        self.loop = asyncio.get_running_loop()
        self._forwards = metrics.forwards
        self._pool = Pool(spawn, engine)
        self._name = name
        self._worker = worker
        self._nodes: dict[str, Node] = {}
        self.passing: set[Underway] = set()
        """The requests that are passed on."""
        self._addresses: Mapping[str, str] = {}
        """Where other edges are reached (host:port), by name."""
        self._reaches_edges = trust is not None
        if trust is not None:
            self.trust(trust)

    def trust(self, trust: Trust) -> None:
        """How TLS is spoken to other edges from now on."""
        self._pool.trusts = {POOL: trust}

    # Whom there is.

    def sibling(self, number: int) -> Node:
        """Another worker of this edge."""
        assert self._worker is not None
        return self._node(f"worker:{self._worker.socket(number)}", str(number))

    def beginner(self, session: SessionId) -> Node | None:
        """The other worker that is to begin a session which nobody has; None: this one may."""
        worker = self._worker
        if worker is None:
            return None
        homes = Homes(worker.number, worker.count)
        return None if homes.here(session) else self.sibling(homes.of(session))

    def successor(self, path: Path) -> Node:
        """The process that takes this one's place, at a Unix socket."""
        return self._node(f"worker:{path}", "successor")

    def edge(self, name: str) -> Node | None:
        """Another edge; None: there is no way to it. A worker of this edge has its own."""
        if self._worker is not None:
            own, _, number = name.rpartition("/")
            if own == self._name and number.isdigit() and int(number) < self._worker.count:
                return self.sibling(int(number))
        address = self._addresses.get(name) if self._reaches_edges else None
        return None if address is None else self._node(f"edge://{address}", name)

    def meet(self, fellows: Sequence[Fellow]) -> None:
        """These are the edges that share the store."""
        self._addresses = {fellow.name: fellow.words[WORD] for fellow in fellows if WORD in fellow.words}

    def _node(self, url: str, name: str) -> Node:
        node = self._nodes.get(url)
        if node is None:
            if len(self._nodes) >= MOST_NODES:
                self._nodes.clear()
            node = self._nodes[url] = Node(node_id(POOL, name), POOL, url)
        return node

    # What goes there.

    def open(self, node: Node, request: Request, answerer: Answerer) -> NodeStream:
        """See Reach."""
        return self._pool.open(node, request, answerer)

    def lead(self, node: Node, passage: Passage) -> None:
        """Send a WebSocket's hello."""
        self._pool.lead(node, passage)

    def ask(self, node: Node, question: Question, known: Known) -> None:
        """Ask whether a session is known there."""
        asking = _Asking(known)
        request = Request(b"GET", b"/", NAME, [question.field()])
        asking.begin(self.loop, self._pool.open(node, request, asking))

    def told(self, node: Node, way: str, outcome: str) -> None:
        """Something forwarded came to its end, or to none. way: request | websocket."""
        self._forwards.outcomes[way, outcome] += 1
        self.found(node, up=outcome != "unreached")

    def found(self, node: Node, *, up: bool) -> None:
        """Whether another one could be reached just now."""
        known = self._forwards.up
        if len(known) >= MOST_NODES:
            known.clear()
        known[node.name] = up

    def close(self) -> None:
        """Close every connection at once."""
        self._pool.close()


_DROPPED = HOP_BY_HOP | BETWEEN_EDGES


def as_it_came(request: Request) -> Arrived:
    """What is kept of a request that may have to go on. Its fields are never changed, but replaced."""
    return request.fields, request.client, request.secure, request.certificate


def onward(request: Request, arrived: Arrived) -> Request:
    """A request as it goes to another edge: as its client made it, but for what belongs to a connection."""
    fields, client, secure, certificate = arrived
    return Request(request.method, request.target, request.authority or NAME,
                   forwarded(fields, Hop(client, secure, request.listener, certificate)), request.bodied,
                   request.length)  # fmt: skip


def forwarded(fields: Fields, hop: Hop) -> Fields:
    """The fields of a head as they go on. hop: whose it is."""
    dropped: Set[bytes] = _DROPPED
    if first(fields, b"connection") is not None:
        dropped = _DROPPED | {token.strip().lower() for name, value in fields if name == b"connection"
                              for token in value.split(b",")}  # fmt: skip
    kept = without(fields, dropped, (FIELD,))
    if b"trailers" in (first(fields, b"te") or b"").lower():
        kept.append((b"te", b"trailers"))
    kept.append(hop.field())
    return kept


class _Asking(Answerer):
    """A question to another one."""

    def __init__(self, known: Known) -> None:
        self._known: Known | None = known
        self._stream: NodeStream | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop, stream: NodeStream) -> None:
        """It is on its way."""
        self._stream = stream
        self._timer = loop.call_later(ANSWER_PATIENCE, self._give_up)

    def _give_up(self) -> None:
        if self._stream is not None:
            self._stream.abort()
        self._tell(None)

    def _tell(self, known: bool | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        told, self._known = self._known, None
        if told is not None:
            told(known)

    def answered(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        if not end and self._stream is not None:
            self._stream.abort()
        self._tell({204: True, 404: False}.get(response.status))

    def node_failed(self, reason: str, *, sent: bool, reached: bool) -> None:
        self._tell(None)
