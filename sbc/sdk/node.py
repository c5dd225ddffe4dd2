"""An agent node: what joins an agent to an edge. See docs/DESIGN.md sections 5.3 and 5.4 for what is said on the wire,
and exchange.py for an agent that is spoken to over HTTP.

    node = Node("ws://127.0.0.1:9071/trunk", pool="chat", name="a", url="http://127.0.0.1:9001")

    @node.agent
    async def chat(session: Session) -> None:
        history = json.loads(session.state or "[]")
        async for message in session:
            history.append(message)
            await session.send(f"message {len(history)}: {message}")
            session.checkpoint(json.dumps(history))

    web.run_app(node.app(), port=9001)      # or: app = node.asgi(), for any ASGI server
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ssl import SSLContext
from typing import Any

from aiohttp import web

from sbc.model.leg import Role
from sbc.sdk.answer import Answer, Asked, RequestRefused
from sbc.sdk.asgi import AsgiApp
from sbc.sdk.exchange import Answerer
from sbc.sdk.http_session import HttpSession
from sbc.sdk.link import LegRefused, Link
from sbc.sdk.opening import Invite, read_checkpoint, read_opening
from sbc.sdk.seats import Seats
from sbc.sdk.session import Session
from sbc.sdk.trunks import Trunks
from sbc.sdk.web import healthy, join

INVITE_LASTS = 30.0
"""An invitation whose leg has not come by then is void."""
REQUEST_WITHIN = 24 * 3600.0
"""The same for a session of HTTP requests: it may have moved here, or stand by, long before its next request."""
LAST_WORD = 2.0
"""How long the legs that are given up have to be closed on both sides."""

log = logging.getLogger("sbc.sdk")

Agent = Callable[[Session], Awaitable[None]]


class Node:
    """One node of a pool. Decorate the agent's coroutine with `agent`, then serve `app()` or `asgi()`."""

    def __init__(self, edge: str | Sequence[str], *, pool: str, name: str, url: str, zone: str = "",
                 capacity: int = 1000, labels: Mapping[str, str] | None = None, checkpoints: bool = True,
                 secret: str | None = None, tls: SSLContext | None = None, subprotocols: tuple[str, ...] = (),
                 drain_for: float = 10.0, idle: float = 3600.0) -> None:
        """edge: where its trunk listens; several where there are several edges. Of edges that share a store one is
        enough: it names the others. url: where the edges reach this node. checkpoints: whether the agent makes any; one
        that says so and makes none is replayed every session from the start. tls: for a trunk over `wss:`, whom this
        node trusts and what it shows; None: the authorities of its system, and no certificate. drain_for: how many
        seconds a SIGTERM waits for the sessions to move elsewhere. idle: for how many seconds a session of requests is
        kept for its next one if its edge was away meanwhile, and may have forgotten it: one that is there says itself
        when a session is over."""
        self.pool, self.name, self.url, self.zone = pool, name, url, zone
        self.capacity = capacity
        self.labels = dict(labels or {})
        self.checkpoints = checkpoints
        self.subprotocols = subprotocols
        self.drain_for = drain_for
        self.idle = idle
        self._agent: Agent | None = None
        self._answerer: Answerer | None = None
        self._side_by_side = False
        self._on_checkpoint: Callable[[Any], str | None] | None = None
        self._on_invite: Callable[[Invite], str | None] | None = None
        self._draining_until: float | None = None
        self._forget_at = 0.0
        self._trunks = Trunks((edge,) if isinstance(edge, str) else edge, secret, self, tls)
        self._seats = Seats(self._trunks.send, checkpoints=checkpoints)

    # For the agent's author.

    def agent(self, agent: Agent) -> Agent:
        """Decorate the coroutine that runs once for each session. When it returns, the session ends."""
        self._agent = agent
        return agent

    def answers(self, answerer: Answerer) -> Answerer:
        """Decorate the coroutine that answers the HTTP requests of a session, one after the other."""
        self._answerer = answerer
        return answerer

    def answers_side_by_side(self, answerer: Answerer) -> Answerer:
        """The same for an agent that answers several requests of a session at a time: they are begun in their order,
        and each checkpoint it makes has to cover all that are under way."""
        self._answerer, self._side_by_side = answerer, True
        return answerer

    def on_checkpoint(self, state: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
        """Decorate a function that gives a session's state when the edge asks for a checkpoint; None: not now."""
        self._on_checkpoint = state
        return state

    def on_invite(self, objection: Callable[[Invite], str | None]) -> Callable[[Invite], str | None]:
        """Decorate a function that says why this node does not take a session; None: it does."""
        self._on_invite = objection
        return objection

    def app(self) -> web.Application:
        """An aiohttp application that serves the sessions at any path, and `/healthz`."""
        app = web.Application()
        app.router.add_get("/healthz", healthy)
        self.join(app, "/{path:.*}")
        return app

    def join(self, app: web.Application, path: str) -> None:
        """Serve the sessions at `path` of an aiohttp application of yours; the trunk stands as long as it runs."""
        join(self, app, path)

    def asgi(self) -> AsgiApp:
        """An ASGI application that serves the sessions at any path; the trunk stands for its lifespan."""
        return AsgiApp(self)

    @property
    def sessions(self) -> Mapping[str, Session | HttpSession]:
        """Those that are here, by their ids."""
        return self._seats.sessions

    @property
    def answers_requests(self) -> bool:
        """Whether there is an agent for HTTP requests."""
        return self._answerer is not None

    @property
    def has_trunk(self) -> bool:
        """Whether any edge has let this node in."""
        return bool(self._trunks.edges)

    async def drain(self, deadline: float) -> bool:
        """Take no more sessions and ask the edge to move those that are here; whether all were within `deadline` s."""
        self._draining_until = asyncio.get_running_loop().time() + deadline
        self._tell_drain()
        return await self._seats.empty(deadline, Role.OWNER)

    def end_sessions(self) -> None:
        """Give up every session that is still here; the edge takes them elsewhere."""
        for session in tuple(self.sessions.values()):
            session.stop()

    async def leave(self) -> None:
        """Drain for `drain_for` seconds, then give up what is still here: what a SIGTERM leads to."""
        await self.drain(self.drain_for)
        self.end_sessions()
        await self._seats.empty(LAST_WORD, *Role)

    # For the server that carries the legs.

    async def run(self) -> None:
        """Keep the trunks open until cancelled."""
        await self._trunks.run()

    async def serve(self, headers: Mapping[str, str], accept: Callable[[], Awaitable[Link]]) -> None:
        """Carry one leg: `headers` (in any case) ask for it, `accept` answers 101. Raises LegRefused before that."""
        if self._agent is None:
            raise LegRefused(503, "this node has no agent")
        session = self._seats.take_leg(read_opening(headers))
        try:
            await session.carry(await accept(), self._agent)
        except* Exception as failed:
            log.error("session %s: the agent failed", session.id, exc_info=failed.exceptions[0])
        finally:
            self._seats.leave(session)

    async def answer(self, asked: Asked, answer: Answer) -> None:
        """Answer one HTTP request. Raises RequestRefused, and whatever the agent raises."""
        assert self._answerer is not None
        try:
            opening = read_opening(asked.headers)
            session = await self._seats.of_request(opening, side_by_side=self._side_by_side)
        except (LegRefused, LookupError) as refused:
            raise RequestRefused(str(refused)) from None
        await session.take(asked, answer, opening, self._answerer)

    # The trunks (trunks.py, Speaker).

    def register(self) -> dict[str, Any]:
        """See Speaker."""
        return {"type": "register", "node": self.name, "pool": self.pool, "url": self.url, "zone": self.zone,
                "labels": self.labels, "capacity": self.capacity, "checkpoints": self.checkpoints}

    def heartbeat(self) -> dict[str, Any]:
        """See Speaker."""
        now = asyncio.get_running_loop().time()
        if now >= self._forget_at:
            self._forget_at = now + self.idle / 10
            self._seats.forget(self._trunks.since, now - self.idle)
        count = len(self.sessions)
        return {"type": "heartbeat", "sessions": count, "load": count / max(1, self.capacity)}

    def joined(self, edge: str) -> None:
        """See Speaker."""
        # What was said while there was no trunk is lost: say again what still holds.
        for session in self.sessions.values():
            if session.edge in ("", edge):
                session.tell_checkpoint()
        if self._draining_until is not None:
            self._tell_drain(edge)

    def _tell_drain(self, edge: str = "") -> None:
        if self._draining_until is not None:
            left = self._draining_until - asyncio.get_running_loop().time()
            self._trunks.send(edge, {"type": "drain", "deadline": max(0.0, left)})

    def told(self, edge: str, message: Mapping[str, Any]) -> None:
        """See Speaker."""
        session = self.sessions.get(message["session"])
        match message["type"]:
            case "invite":
                self._answer(edge, message)
            case "checkpoint_now" if session is not None and session.epoch == message["epoch"]:
                self._checkpoint(session)
            case _:
                self._seats.heard(message, requests=self.answers_requests)

    def _answer(self, edge: str, message: Mapping[str, Any]) -> None:
        now = asyncio.get_running_loop().time()
        invite = Invite(str(message["session"]), int(message["epoch"]), Role(message["role"]), str(message["agent"]),
                        dict(message["manifest"]), read_checkpoint(message["checkpoint"]),
                        now + (REQUEST_WITHIN if self.answers_requests else INVITE_LASTS), edge, now)
        answer: dict[str, Any] = {"session": invite.session, "epoch": invite.epoch}
        objection = self._objection(invite)
        if objection is None:
            self._seats.expect(invite, now)
            self._trunks.send(edge, {"type": "accept", **answer})
        else:
            self._trunks.send(edge, {"type": "decline", **answer, "reason": objection, "retry_after": 1})

    def _objection(self, invite: Invite) -> str | None:
        if self._draining_until is not None:
            return "draining"
        if self._seats.others(invite.session) >= self.capacity:
            return "full"
        return self._seats.objection(invite) or (self._on_invite(invite) if self._on_invite else None)

    def _checkpoint(self, session: Session | HttpSession) -> None:
        session.checkpoint_requested = True
        state = self._on_checkpoint(session) if self._on_checkpoint else None
        if state is not None:
            session.checkpoint(state)
        elif session.is_covered:
            session.tell_checkpoint()
