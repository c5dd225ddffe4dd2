"""The connections to all nodes: how a request comes to its node.

A request that finds an idle connection costs no task and no future: it is written at once.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from sbc.model.http import Request
from sbc.model.ids import NodeId, PoolName, pool_of
from sbc.model.interfaces import Spawn
from sbc.model.marking import Mark
from sbc.model.node import Node
from sbc.model.streams import Answerer, NodeStream, Readiness
from sbc.nodes.address import Speech, address_of
from sbc.nodes.dial import Trust
from sbc.nodes.errand import Errand
from sbc.nodes.lines import Lines
from sbc.nodes.link import Approach, Dial, Outcome
from sbc.nodes.traveller import Traveller
from sbc.nodes.tunnel import Tunnel
from sbc.wire.link import LinkOwner

SWEEP = 1.0
"""How often it is looked for connections that are idle or stuck, in seconds."""


class Pool:
    """Implements Reach (model/streams.py)."""

    def __init__(self, spawn: Spawn, engine: str = "auto") -> None:
        """engine: the HTTP/2 engine's name (wire/http2/factory.py)."""
        self._loop = asyncio.get_running_loop()
        self._spawn = spawn
        self._engine = engine
        self.trusts: Mapping[PoolName, Trust] = {}
        """How TLS is spoken from now on to the nodes of those pools that say it."""
        self._marks: Mapping[PoolName, Mark] = {}
        self._nodes: dict[NodeId, Lines] = {}
        self._retired: list[Lines] = []
        self._timer: asyncio.TimerHandle | None = None
        self.garbage = 0
        """How often nodes sent what they should not have."""

    def _heard_garbage(self) -> None:
        self.garbage += 1

    def bear(self, marks: Mapping[PoolName, Mark]) -> None:
        """Have what the connections that are dialled from now on send bear these marks, by the pool of their node."""
        self._marks = marks
        for node, lines in self._nodes.items():
            lines.mark = marks.get(pool_of(node))

    def open(self, node: Node, request: Request, answerer: Answerer) -> NodeStream:
        """Send a request to a node, over a connection that is there or a new one."""
        try:
            lines = self._lines_of(node)
        except ValueError as error:
            errand = Errand(_NOWHERE, request, answerer)
            self._loop.call_soon(_refuse, errand, str(error))
            return errand
        if lines.prefix and request.target != b"*":
            request = replace(request, target=lines.prefix + request.target)
        errand = Errand(lines, request, answerer)
        if not lines.carry(errand):
            self._loop.call_soon(lines.place, errand)
        return errand

    def probe(self, node: Node, request: Request, answerer: Answerer) -> NodeStream:
        """See Reach."""
        lines = self._lines_of(node)
        errand = Errand(lines, request, answerer)
        if not lines.carry(errand):
            self._loop.call_soon(lines.place, errand)
        return errand

    def approach(self, node: Node, dial: Dial, owner: LinkOwner, tag: int, outcome: Outcome) -> Approach | Tunnel:
        """Open a WebSocket leg to a node: on a stream of a shared connection if it speaks HTTP/2 and nothing else."""
        if address_of(node.url).speech is Speech.HTTP2:
            tunnel = Tunnel(dial, owner, tag, outcome)
            self.lead(node, tunnel)
            return tunnel
        approach = Approach(dial, owner, tag, outcome, self.trusts.get(node.pool))
        self._spawn("open leg", approach.run())
        return approach

    def lead(self, node: Node, traveller: Traveller) -> None:
        """Have somebody on a stream of a shared connection to a node that speaks HTTP/2 and nothing else."""
        self._loop.call_soon(self._lines_of(node).lead, traveller)

    def ready(self, node: Node, done: Readiness) -> None:
        """Have a connection to a node: `done("")` once there is one, else `done(why not)`."""
        try:
            self._loop.call_soon(self._lines_of(node).ask, done)
        except ValueError as error:
            self._loop.call_soon(done, str(error))

    def forget(self, node: Node) -> None:
        """A node is gone or was drained: close the connections that nothing is under way on."""
        lines = self._nodes.pop(node.id, None)
        if lines is not None:
            lines.retire()
            if not lines.empty:
                self._retired.append(lines)

    def close(self) -> None:
        """Close every connection at once; nothing is told of what they carried."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for lines in (*self._nodes.values(), *self._retired):
            lines.close()
        self._nodes.clear()
        self._retired.clear()

    def _lines_of(self, node: Node) -> Lines:
        lines = self._nodes.get(node.id)
        if lines is not None and lines.node is node and lines.trusts is self.trusts:
            return lines  # as most requests find them
        trust = self.trusts.get(node.pool)
        if lines is not None and lines.url == node.url and lines.trust is trust:
            lines.node, lines.trusts = node, self.trusts
            return lines
        where = address_of(node.url)
        self.forget(node)
        lines = self._nodes[node.id] = Lines(str(node.id), node.url, where, self._spawn, self._engine, trust,
                                               self._marks.get(node.pool), self._heard_garbage)
        if self._timer is None:
            self._timer = self._loop.call_later(SWEEP, self._sweep)
        return lines

    def _sweep(self) -> None:
        now = self._loop.time()
        for lines in (*self._nodes.values(), *self._retired):
            lines.sweep(now)
        self._nodes = {node: lines for node, lines in self._nodes.items() if not lines.empty}
        self._retired = [lines for lines in self._retired if not lines.empty]
        self._timer = self._loop.call_later(SWEEP, self._sweep) if self._nodes or self._retired else None


class _Nowhere:
    """Where errands wait that have nowhere to go."""

    def place(self, errand: Errand) -> None:
        pass

    def withdraw(self, errand: Errand) -> None:
        pass


_NOWHERE = _Nowhere()


def _refuse(errand: Errand, reason: str) -> None:
    errand.fail(reason, sent=False, reached=False)
