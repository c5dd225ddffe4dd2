"""Nodes dial an edge once, however many workers it has: their trunks end here, and every worker hears what they say.

A heartbeat or a drain is for all workers, a word about a session for the one that spoke of it on this trunk; after a
trunk was dialled anew nobody has yet, and all are asked, of which one has it. Heartbeats are gathered for a moment and
told together: with many nodes and workers that is what there is most of. That they come at all, empty if need be, tells
the workers that it is not the supervisor who is silent.
"""

import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sbc.config import Config
from sbc.core.health import beat_every
from sbc.model.ids import NodeId, PoolName, node_id
from sbc.model.interfaces import Trunk
from sbc.runtime.wanted import refuse_strangers

GATHERING: Final = 0.05
"""Seconds that heartbeats are gathered for."""
PULSE: Final = 2
"""At the latest in every so many turns workers hear that the supervisor listens."""
MOST_SEATS: Final = 1_000_000
"""Sessions of one trunk whose worker is remembered; of more, the one that was spoken of first is asked for."""


class Listener(Protocol):
    """A worker, as far as it is told."""

    number: int

    def note(self, what: str, /, **given: Any) -> None: ...


@dataclass(slots=True)
class Line:
    """One trunk."""

    number: int
    trunk: Trunk
    register: Mapping[str, Any]
    """How its node introduced itself."""
    seats: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By session: the worker that has it, and its epoch."""
    edges: Mapping[str, Any] | None = None
    """What its node was told of the edges that there are."""
    hung_up: set[int] = field(default_factory=set)
    """The workers that want it closed."""


class Switchboard:
    """Implements TrunkListener for the trunk door. Workers are told only once they were `connected`."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._numbers = itertools.count(1)
        self._lines: dict[int, Line] = {}
        self._by_trunk: dict[Trunk, Line] = {}
        self._workers: dict[int, Listener] = {}
        self._turns = 0
        self._beats: deque[tuple[int, Mapping[str, Any]]] = deque()

    # Nodes (TrunkListener).

    def registered(self, trunk: Trunk, message: Mapping[str, Any]) -> float:
        """A node introduced itself. Raises Refusal."""
        config = self._config()
        pool, known = PoolName(message["pool"]), node_id(message["pool"], message["node"])
        written = config.pools.get(pool)
        sealed = {pool} if written is not None and written.tls is not None else set[PoolName]()
        configured = written is not None and any(node.id == known for node in written.nodes)
        refuse_strangers(pool, None if configured else message["url"], config.pools, sealed)
        trunk.node = known
        former = next((line for line in self._lines.values() if line.trunk.node == known), None)
        line = Line(next(self._numbers), trunk, message)
        self._lines[line.number] = self._by_trunk[trunk] = line
        self._tell_all("trunk_registered", trunk=line.number, message=message)
        if former is not None:
            former.trunk.close("another trunk of the same node")
        return beat_every(len(self._lines))

    def heard(self, trunk: Trunk, message: Mapping[str, Any]) -> None:
        """A registered node says something."""
        line = self._by_trunk.get(trunk)
        if line is None:
            return
        if message["type"] == "heartbeat":
            self._beats.append((line.number, message))
            return
        session = message.get("session")
        worker = self._workers.get(line.seats[session][0]) if session in line.seats else None
        if worker is not None:
            worker.note("trunk_heard", trunk=line.number, message=message)
        else:
            self._tell_all("trunk_heard", trunk=line.number, message=message)

    def lost(self, trunk: Trunk) -> None:
        """A trunk is closed."""
        line = self._by_trunk.pop(trunk, None)
        if line is not None:
            del self._lines[line.number]
            self._tell_all("trunk_lost", trunk=line.number)

    def tell_beats(self) -> None:
        """Tell what was gathered; to be called every GATHERING seconds. Where there are no trunks nobody listens."""
        self._turns += 1
        if not self._lines or not (self._beats or self._turns % PULSE == 0):
            return
        beats = [(number, message) for number, message in self._beats if number in self._lines]
        self._beats.clear()
        self._tell_all("trunk_beats", beats=beats)

    def _tell_all(self, what: str, /, **given: Any) -> None:
        for worker in self._workers.values():
            worker.note(what, **given)

    # Workers.

    def connected(self, worker: Listener) -> None:
        """A worker can hear: tell it of every trunk."""
        self._workers[worker.number] = worker
        for line in self._lines.values():
            line.hung_up.discard(worker.number)
            worker.note("trunk_registered", trunk=line.number, message=line.register)

    def disconnected(self, worker: int, *, forgets: bool) -> None:
        """A worker is gone. forgets: whether its sessions are gone with it; their nodes are told then."""
        self._workers.pop(worker, None)
        for line in list(self._lines.values()):
            left = [session for session, (owner, _) in line.seats.items() if owner == worker] if forgets else []
            for session in left:
                _, epoch = line.seats.pop(session)
                line.trunk.send({"type": "release", "session": session, "epoch": epoch, "reason": "the edge lost it"})
            self._close_if_unwanted(line, "no worker wants it")

    def say(self, worker: int, number: int, message: Mapping[str, Any]) -> None:
        """A worker says something to a node."""
        line = self._lines.get(number)
        if line is None:
            return
        if "session" not in message:  # the edges that there are: all workers say the same
            if message != line.edges:
                line.edges = message
                line.trunk.send(message)
            return
        session = message["session"]
        if message["type"] == "release":
            if line.seats.get(session, (worker, 0))[0] == worker:
                line.seats.pop(session, None)
        else:
            line.seats.pop(session, None)
            if len(line.seats) >= MOST_SEATS:
                del line.seats[next(iter(line.seats))]
            line.seats[session] = (worker, message["epoch"])
        line.trunk.send(message)

    def hang_up(self, worker: int, number: int, reason: str) -> None:
        """A worker wants no more of a trunk: it is closed once none wants it."""
        line = self._lines.get(number)
        if line is not None:
            line.hung_up.add(worker)
            self._close_if_unwanted(line, reason)

    def _close_if_unwanted(self, line: Line, reason: str) -> None:
        if line.hung_up and line.hung_up >= self._workers.keys():
            line.trunk.close(reason)

    def nodes(self) -> Sequence[NodeId]:
        """Those that have a trunk."""
        return [line.trunk.node for line in self._lines.values()]
