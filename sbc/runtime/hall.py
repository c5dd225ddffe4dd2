"""The live sessions, and the reception of clients: who comes in, who comes back, who is told that a node is gone."""

import resource
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sbc.core.dialog import Dialog, NodeSide
from sbc.core.provenance import traced
from sbc.core.revocations import names
from sbc.model.commands import ELSEWHERE, Close
from sbc.model.errors import CloseCode, Refusal
from sbc.model.events import EndOrdered, MoveOrdered, NodeReady, NodeSilent
from sbc.model.http import Request
from sbc.model.identity import Revocation
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Stored
from sbc.model.leg import Cause
from sbc.model.manifest import Continuity, Manifest
from sbc.model.policy import Limits
from sbc.model.route import Hello
from sbc.model.streams import ClientStream
from sbc.protocols.protocol import Key
from sbc.runtime import node_words, record
from sbc.runtime.afar import Afar, Seeker
from sbc.runtime.dormant import Dormant
from sbc.runtime.house import House
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.front import RequestFront
from sbc.runtime.http.lateness import Lateness, of_strict_agents
from sbc.runtime.http.registry import Registry, session_id
from sbc.runtime.http.session import HttpSession
from sbc.runtime.http.single import Single
from sbc.runtime.interconnect import Interconnect, Underway
from sbc.runtime.movers import Movers
from sbc.runtime.pace import waited_for
from sbc.runtime.record import Records
from sbc.runtime.review import Ousted, Review
from sbc.runtime.rules import Rules
from sbc.runtime.session import Session
from sbc.runtime.siblings import whereabouts
from sbc.runtime.succession.onward import ToSuccessor
from sbc.runtime.watchman import Watchman
from sbc.runtime.websocket.front import WebSocketFront
from sbc.transports.websocket import Doorstep
from sbc.wire.pipe import Pipe

SPARE_SHARE = 0.8
"""How much of the file descriptors clients and their sessions may have; the rest is for trunks, probes, files."""


TakeRequest = Callable[[ClientStream, Request, int], Exchange]


class Hall:
    """Implements Reception for the listeners and Concerned for the fleet."""

    def __init__(self, house: House, rules: Rules, records: Records | None,
                 interconnect: Interconnect | None) -> None:  # fmt: skip
        """interconnect: the way to other workers and edges; None: there is none."""
        self.house = house
        self.rules = rules
        self.records = records
        self.sessions: dict[SessionId, Session] = {}
        onward = whereabouts(house, interconnect)
        self.passing: set[Underway] = interconnect.passing if interconnect is not None else set()
        """The requests that other workers and edges answer."""
        self._requests = RequestFront(self, onward, Registry(), set())
        self.request: TakeRequest = self._requests.request
        """Reception's, without a call between: every request comes this way."""
        self.pipes: set[Pipe] = set()
        """The WebSockets whose sessions other workers have."""
        self._websockets = WebSocketFront(self, onward, interconnect, self.pipes)
        self.dormant = Dormant(self)
        self.afar: Seeker | None = Afar(self, house.shared) if house.shared is not None else None
        self.movers = Movers(house.roster, house.spawn, self.on, house.loop.time, house.signals.emptied, self._pace)
        self.watchman = Watchman(self.sessions.values, self._refuse_late, house.roster, house.metrics,
                                 house.announce)
        self._lateness = Lateness(house.metrics)
        self.stopping = False
        self._doorsteps = 0
        self._most_descriptors = int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * SPARE_SHARE)

    # Reception.

    def arrived(self) -> bool:
        if self.descriptors > 1.0:
            return False
        self._doorsteps += 1
        return True

    @property
    def descriptors(self) -> float:
        """The share of the file descriptors for clients and sessions that is taken, by a session more too."""
        legs = self.house.roster.ledger.taken
        return (self._doorsteps + len(self.sessions) + len(self.pipes) + legs + 2) / self._most_descriptors

    def departed(self) -> None:
        self._doorsteps -= 1

    def limits(self) -> tuple[int, int, float]:
        return self.rules.head

    def refused(self, refusal: Refusal, hello: Hello | None) -> None:
        self.house.metrics.turned_away(refusal.code)
        self.house.announce("client_refused", {
            "status": refusal.status, "code": refusal.code, "client": self._client_of(hello) if hello else None,
            "path": hello.path if hello else None,
        })  # fmt: skip
        if hello is not None:
            self.house.constable.blame(refusal.code, hello.client, hello.listener)

    def _client_of(self, hello: Hello) -> str:
        try:
            return traced(hello, self.rules.hops.get(hello.listener, 0)).client
        except Refusal:  # nobody can say; this is who brought it
            return hello.client

    def abused(self, kind: str, client: str, listener: str) -> None:
        self.house.metrics.abuse[kind] += 1
        self.house.constable.blame(kind, client, listener)

    @property
    def wary(self) -> bool:
        return self.house.constable.wary

    def bars(self, client: str, listener: str, *, proven: bool = True) -> bool:
        return self.house.constable.bars(client, listener, proven=proven)

    def greet(self, doorstep: Doorstep, hello: Hello, octets: int) -> None:
        """A client's hello. Raises Refusal."""
        if self.stopping:
            raise Refusal(503, "stopping", "this edge is being stopped", retry_after=1)
        self._websockets.greet(doorstep, hello, octets)

    @property
    def registry(self) -> Registry[HttpSession]:
        """By which keys sessions of requests are known."""
        return self._requests.registry

    @property
    def singles(self) -> set[Single]:
        """The requests that belong to no session, while they are under way."""
        return self._requests.singles

    def relative(self, agent: AgentName, principal: PrincipalId, keys: Sequence[Key]) -> NodeId | None:
        """The owner of the session of requests that these keys lead to."""
        found = self.registry.find(agent, principal, keys)
        return found.dialog.owner.node if found is not None and found.dialog.owner is not None else None

    def known(self, agent: AgentName, principal: PrincipalId, keys: Sequence[Key]) -> SessionId | None:
        """The session that the first of these keys leads to which leads to any, awake or asleep."""
        found = self._requests.registry.find(agent, principal, keys)
        if found is not None:
            return found.dialog.session
        asleep = (self.dormant.find(agent, principal, key) for key in keys)
        return next((session for session in asleep if session is not None), None)

    def knows(self, agent: AgentName, principal: PrincipalId, keys: Sequence[Key]) -> bool:
        """Whether one of these keys leads to a session, or would be the id of one that sleeps."""
        return self.known(agent, principal, keys) is not None or any(
            session_id(agent, principal, key) in self.dormant for key in keys)

    def dialog(self, entry: Stored, manifest: Manifest, limits: Limits) -> Dialog:
        return self.house.dialog(entry, manifest, limits)

    def keys_of(self, session: Session) -> Sequence[Key]:
        """By what else than its id a session is known."""
        return self.registry.keys(session) if isinstance(session, HttpSession) else ()

    def closed(self, session_id: SessionId) -> None:
        """A dialog has ended: nothing of it stays but its record."""
        session = self.sessions.pop(session_id, None)
        if session is None:
            return
        if isinstance(session, HttpSession):
            self.registry.forget(session)
        self.house.roster.ledger.leave(session.record.principal, session.tenancy)
        if not self.house.usher.gone(session_id, session.dialog.manifest):
            return  # it was never begun: there is nothing to record of it, in a flood thousands of times
        shared, closed = self.house.shared, session.closed
        if shared is not None and closed is not None and closed.result == ELSEWHERE:
            shared.release(session_id)
        else:
            self.house.store.remove(session_id)
        record.write(session, self.records)

    def leave_to(self, onward: ToSuccessor, interconnect: Interconnect) -> None:
        """A successor has, or begins, what is not here."""
        self.afar = None
        self._requests.onward = onward
        self._passing = interconnect.passing
        self._websockets = WebSocketFront(self, onward, interconnect, self.pipes)

    def forsake(self, session: Session) -> None:
        """A dialog is our successor's from here on: its connections end here, and nothing is told to anybody else."""
        dialog = session.dialog
        session.closed = Close(CloseCode.RESTART, "", "succeeded")
        session.abandon(retry_after=0)
        for seat in dialog.seats:
            self.house.roster.vacate(seat.node)
        del self.sessions[dialog.session]
        if isinstance(session, HttpSession):
            self._requests.registry.forget(session)
        self.house.roster.ledger.leave(session.record.principal, session.tenancy)
        self.house.usher.gone(dialog.session, dialog.manifest)
        self.house.store.forsake(dialog.session)

    def expire_singles(self, now: float) -> None:
        """End the requests of no session whose proof is good no more. now: wall-clock seconds."""
        for single in [single for single in self.singles if single.good_until <= now]:
            single.oust(Ousted.EXPIRED)

    def _refuse_late(self, now: float) -> None:
        """Refuse the requests that are past their ceilings, of agents that want that."""
        self._lateness.look(of_strict_agents(self.sessions.values(), self.singles), now)

    # What was taken away.

    def review(self) -> int:
        """Something was taken away: whoever would not be let in now is served no more; how much that has ended."""
        review = Review(self.rules, self.house.revocations)
        ended = sum([single.review(review) for single in list(self.singles)])
        return ended + sum([session.review(review) for session in list(self.sessions.values())])

    def revoke(self, revocation: Revocation) -> int:
        """It is in force, and what is open by it ends; how many sessions, streams and requests. Raises Refusal."""
        self.house.revocations.take(revocation)
        named = [session for session in self.sessions.values() if names(revocation, session.record)]
        for session in named:
            self.house.metrics.abuse[Ousted.REVOKED.value] += 1
            session.tell(EndOrdered(CloseCode.POLICY, Ousted.REVOKED.value))
        ousted = self.review()
        asleep = self.dormant.dismiss(lambda entry: names(revocation, entry))
        for entry in asleep:
            record.write_absent(self.house, entry, "revoked", self.records)
        return len(named) + ousted + len(asleep)

    # The nodes (Concerned).

    def by_rank(self) -> list[Session]:
        """All sessions, those first whose silence hurts soonest."""
        return sorted(self.sessions.values(), key=_rank)

    def on(self, node: NodeId) -> list[Session]:
        """The sessions that have a seat on a node, those first whose silence hurts soonest."""
        here = [
            session for session in self.sessions.values() if any(seat.node == node for seat in session.dialog.seats)
        ]
        return sorted(here, key=_rank)

    def node_silent(self, node: NodeId, continuity: Continuity | None) -> None:
        for session in self.on(node):
            if continuity in (None, session.dialog.manifest.continuity):
                told = partial(session.tell, NodeSilent(node))
                self.house.burst.add(told, _rank(session), waited_for(session.dialog))

    def node_ready(self) -> None:
        self.house.usher.look_again()
        for session in self.by_rank():
            if session.dialog.node is NodeSide.WAITING:
                session.tell(NodeReady())

    def node_says(self, node: NodeId, message: Mapping[str, Any]) -> None:
        session = self.sessions.get(SessionId(message["session"]))
        if session is None:
            self.house.metrics.abuse["unknown_session"] += 1
        else:
            node_words.hear(session, node, message)

    def node_leaves(self, node: NodeId, deadline: float | None) -> None:
        standing = self.house.roster.get(node)
        if standing is not None:
            standing.health.draining = True
            self.movers.drain(node, deadline)

    # The end.

    def move(self, session: Session, to: NodeId | None, cause: Cause, deadline: float | None = None) -> None:
        """Order a planned move; deadline in seconds, the manifest's without one."""
        allowed = session.dialog.manifest.migration.deadline
        session.tell(MoveOrdered(to, cause, allowed if deadline is None else min(allowed, deadline)))

    @property
    def answering(self) -> int:
        """How many requests are under way; streams that stay open between turns are not waited for."""
        sessions = (session for session in self.sessions.values() if isinstance(session, HttpSession))
        singles = sum(not single.standing for single in self.singles)
        passing = sum(not passing.standing for passing in self.passing)
        return singles + passing + sum(session.dialog.under_way for session in sessions)

    def _pace(self) -> float:
        return self.rules.capacity.drain_pace


def _rank(session: Session) -> int:
    return session.dialog.manifest.continuity.rank
