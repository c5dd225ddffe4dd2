"""The live sessions, and the reception of clients: who comes in, who comes back, who is told that a node is gone."""

import asyncio
import hashlib
import resource
import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from sbc.core import seating
from sbc.core.dialog import Dialog, NodeSide
from sbc.core.journal import Journal
from sbc.core.relay import Relay, Tally
from sbc.core.screening import check_head, claims
from sbc.model.binding import Binding
from sbc.model.errors import CloseCode, Refusal
from sbc.model.events import ClientLost, EndOrdered, MoveOrdered, NodeReady, NodeSilent, Reattached
from sbc.model.http import Request
from sbc.model.ids import NodeId, SessionId
from sbc.model.interfaces import Stored
from sbc.model.leg import Cause, State
from sbc.model.manifest import Continuity, Manifest
from sbc.model.policy import Limits, Policy
from sbc.model.route import Claims, Hello, KeySource, Route, SessionKey
from sbc.model.streams import ClientStream
from sbc.protocols.protocol import Conversation
from sbc.runtime import node_words, record
from sbc.runtime.clerk import Clerk
from sbc.runtime.dormant import Dormant
from sbc.runtime.house import House
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.front import Front
from sbc.runtime.http.session import HttpSession
from sbc.runtime.movers import Movers
from sbc.runtime.opening import opening
from sbc.runtime.rules import Rules, route_name
from sbc.runtime.session import Session
from sbc.runtime.websocket import WebSocketSession
from sbc.telemetry.records import RecordWriter
from sbc.transports.websocket import Doorstep
from sbc.wire.upgrade import deflate_offer

SPARE_SHARE = 0.8
"""How much of the file descriptors clients and their sessions may have; the rest is for trunks, probes, files."""


class Hall:
    """Implements Reception for the listeners and Concerned for the fleet."""

    def __init__(self, house: House, rules: Rules, records: RecordWriter | None) -> None:
        self.house = house
        self.rules = rules
        self.records = records
        self.sessions: dict[SessionId, Session] = {}
        self.front = Front(self)
        self.dormant = Dormant(self)
        self.movers = Movers(house.roster, house.spawn, self.on, house.loop.time, house.signals.emptied)
        self.stopping = False
        self._doorsteps = 0
        self._most_descriptors = int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * SPARE_SHARE)

    # Reception.

    def arrived(self) -> bool:
        legs = self.house.roster.ledger.taken
        if self._doorsteps + len(self.sessions) + legs + 2 > self._most_descriptors:
            return False
        self._doorsteps += 1
        return True

    def departed(self) -> None:
        self._doorsteps -= 1

    def limits(self) -> tuple[int, int, float]:
        return self.rules.head

    def refused(self, refusal: Refusal, hello: Hello | None) -> None:
        self.house.metrics.refused[refusal.code] += 1
        self.house.metrics.admissions["refused"] += 1
        self.house.announce("client_refused", {
            "status": refusal.status, "code": refusal.code, "client": hello.client if hello else None,
            "path": hello.path if hello else None,
        })  # fmt: skip

    def request(self, stream: ClientStream, request: Request, octets: int) -> Exchange:
        return self.front.request(stream, request, octets)

    def abused(self, kind: str, client: str) -> None:
        self.house.metrics.abuse[kind] += 1

    def greet(self, doorstep: Doorstep, hello: Hello, octets: int) -> None:
        """A client's hello: a new session, or one it comes back to. Raises Refusal."""
        if self.stopping:
            raise Refusal(503, "stopping", "this edge is being stopped", retry_after=1)
        route = self.rules.routes.find(hello.host, hello.path)
        if route is None:
            raise Refusal(404, "no_route", "nothing is served here")
        policy = self.rules.policy_of(route)
        check_head(hello, octets, policy.limits)
        wish = claims(hello, route)
        known = self._meant(wish, route)
        if known is None:
            self._begin(doorstep, hello, route, policy, wish, SessionId(secrets.token_hex(16)))
        elif (session := self.sessions.get(known)) is not None:
            if not isinstance(session, WebSocketSession):
                raise Refusal(409, "other_transport", "this session is made of requests, not of a connection")
            self.reattach(session, doorstep, hello, wish)
        elif known in self.dormant:
            self.dormant.wake(known, doorstep, hello, wish, route)
        elif wish.token is not None and self._is_token(wish, route):
            raise Refusal(404, "session_gone", "this session has ended")
        else:
            self._begin(doorstep, hello, route, policy, wish, known)

    def _is_token(self, wish: Claims, route: Route) -> bool:
        """A route may take its keys from the very header that carries our tokens: the form tells them apart."""
        key_header = route.session.source is KeySource.HEADER and route.session.name.lower() == "session-id"
        return wish.token is not None and (not key_header or self.house.seal.ours(wish.token))

    def _meant(self, wish: Claims, route: Route) -> SessionId | None:
        """Which session a client means. None: a new one."""
        if wish.token is not None and self._is_token(wish, route):
            session = self.house.seal.open(wish.token, wish.principal)
            if session is None:
                raise Refusal(403, "bad_token", "this token opens no session of yours")
            return session
        if wish.key is None:
            return None
        # One principal's keys are never another's: the id is made of both.
        return SessionId(hashlib.sha256(f"{route.agent}\n{wish.principal}\n{wish.key}".encode()).hexdigest()[:32])

    def _begin(
        self, door: Doorstep, hello: Hello, route: Route, policy: Policy, wish: Claims, session_id: SessionId
    ) -> None:
        self.house.roster.ledger.enter(wish.principal, policy.limits.sessions_per_principal)
        manifest = self.rules.agents[route.agent]
        nobody = NodeId("")
        entry = Stored(
            Binding(session_id, nobody, None, 0), route.agent, route_name(route), wish.principal, time.time(),
            None,
        )  # fmt: skip
        session = self.make(entry, manifest, policy, hello)
        session.door = door
        door.gone = lambda: session.tell(ClientLost())
        session.start(seating.start(session.dialog, time.monotonic()))

    def make(self, entry: Stored, manifest: Manifest, policy: Policy, hello: Hello) -> WebSocketSession:
        """A session over WebSocket with its dialog and relays, not started."""
        dialog = self._dialog(entry, manifest, policy.limits)
        session = WebSocketSession(self.house, dialog, policy, entry, opening(hello))
        self.sessions[dialog.session] = session
        return session

    def make_http(
        self, entry: Stored, manifest: Manifest, policy: Policy, conversation: Conversation, key: SessionKey
    ) -> HttpSession:
        """A session of exchanges with its dialog, not started."""
        dialog = self._dialog(entry, manifest, policy.limits)
        session = HttpSession(self.house, dialog, policy, entry, conversation, key, self.front.registry)
        self.sessions[dialog.session] = session
        return session

    def _dialog(self, entry: Stored, manifest: Manifest, limits: Limits) -> Dialog:
        house, class_, session_id = self.house, manifest.continuity.value, entry.binding.session
        inbound = Relay(Journal(limits.journal), self._tally("client", class_), masked=True, limit=limits.message)
        outbound = Relay(Journal(limits.journal), self._tally("node", class_), masked=False, limit=limits.message)
        if house.store.durable:
            inbound.clerk = Clerk(house.office, session_id, inbound, from_client=True)
            outbound.clerk = Clerk(house.office, session_id, outbound, from_client=False)
        return Dialog(session_id, manifest, house.roster, inbound, outbound, time.monotonic())

    def _tally(self, leg: str, class_: str) -> Tally:
        tallies = self.house.metrics.tallies
        tally = tallies.setdefault((leg, class_), Tally())
        assert isinstance(tally, Tally)
        return tally

    def reattach(self, session: WebSocketSession, door: Doorstep, hello: Hello, wish: Claims) -> None:
        """The client of a session is back, on a new connection. Raises Refusal."""
        dialog, received = session.dialog, wish.received or 0
        if dialog.state is State.EARLY or session.door is not None:
            raise Refusal(409, "session_busy", "this session is being opened by another connection", retry_after=1)
        if received > dialog.outbound.count and not dialog.recovered:
            raise Refusal(400, "bad_received", "more messages than the session has")
        if session.legs.deflate and deflate_offer(hello.headers) is None:
            raise Refusal(400, "extension", "this session was begun with permessage-deflate, without context takeover")
        session.door = door
        session.tell(Reattached(received))

    def closed(self, session_id: SessionId) -> None:
        """A dialog has ended: nothing of it stays but its record."""
        session = self.sessions.pop(session_id, None)
        if session is None:
            return
        if isinstance(session, HttpSession):
            self.front.registry.forget(session)
        self.house.roster.ledger.leave(session.record.principal)
        self.house.store.remove(session_id)
        record.write(session, self.records)

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
                self.house.burst.add(partial(session.tell, NodeSilent(node)))

    def node_ready(self) -> None:
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

    async def stop(self) -> None:
        """Tell every client to come back elsewhere or later, and every node that its legs are done."""
        self.stopping = True
        self.house.office.bring()
        durable = self.house.store.durable
        for number, session in enumerate(self.by_rank()):
            if durable:
                session.abandon()
            else:
                session.tell(EndOrdered(CloseCode.RESTART, "retry_after=1"))
            if number % 200 == 199:
                await asyncio.sleep(0)


def _rank(session: Session) -> int:
    return session.dialog.manifest.continuity.rank
