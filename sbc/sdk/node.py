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
import base64
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from sbc.model.binding import Resume
from sbc.model.leg import Role
from sbc.sdk.answer import Answer, Asked, RequestRefused
from sbc.sdk.asgi import AsgiApp
from sbc.sdk.exchange import Answerer
from sbc.sdk.http_session import HttpSession
from sbc.sdk.link import LegRefused, Link
from sbc.sdk.opening import Invite, Opening, read_checkpoint, read_opening, state_for
from sbc.sdk.session import Session
from sbc.sdk.trunk import TrunkClient
from sbc.sdk.web import healthy, join

JOURNAL_WITHIN = 5.0
PROMOTE_WITHIN = 3.0
"""How long a request waits for the word that this node, which stood by, owns its session now."""
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

    def __init__(self, edge: str, *, pool: str, name: str, url: str, zone: str = "", capacity: int = 1000,
                 labels: Mapping[str, str] | None = None, checkpoints: bool = True, secret: str | None = None,
                 subprotocols: tuple[str, ...] = (), drain_for: float = 10.0) -> None:
        """edge: where its trunk listens. url: where the edge reaches this node. checkpoints: whether the agent makes
        any; one that says so and makes none is replayed every session from the start. drain_for: how many seconds
        a SIGTERM waits for the sessions to move elsewhere."""
        self.pool, self.name, self.url, self.zone = pool, name, url, zone
        self.capacity = capacity
        self.labels = dict(labels or {})
        self.checkpoints = checkpoints
        self.subprotocols = subprotocols
        self.drain_for = drain_for
        self.sessions: dict[str, Session | HttpSession] = {}
        self._agent: Agent | None = None
        self._answerer: Answerer | None = None
        self._side_by_side = False
        self._on_checkpoint: Callable[[Any], str | None] | None = None
        self._on_invite: Callable[[Invite], str | None] | None = None
        self._invites: dict[str, Invite] = {}
        self._journals: dict[str, asyncio.Future[list[Mapping[str, Any]]]] = {}
        self._draining_until: float | None = None
        self._left = asyncio.Event()
        self._promoted = asyncio.Event()
        self._trunk = TrunkClient(edge, secret, register=self._register, heartbeat=self._heartbeat,
                                  opened=self._opened, heard=self._heard)

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
    def answers_requests(self) -> bool:
        """Whether there is an agent for HTTP requests."""
        return self._answerer is not None

    @property
    def has_trunk(self) -> bool:
        """Whether the edge has let this node in."""
        return self._trunk.is_open

    async def drain(self, deadline: float) -> bool:
        """Take no more sessions and ask the edge to move those that are here; whether all were within `deadline` s."""
        self._draining_until = asyncio.get_running_loop().time() + deadline
        self._tell_drain()
        return await self._empty(deadline, Role.OWNER)

    def end_sessions(self) -> None:
        """Give up every session that is still here; the edge takes them elsewhere."""
        for session in tuple(self.sessions.values()):
            session.stop()

    async def leave(self) -> None:
        """Drain for `drain_for` seconds, then give up what is still here: what a SIGTERM leads to."""
        await self.drain(self.drain_for)
        self.end_sessions()
        await self._empty(LAST_WORD, *Role)

    async def _empty(self, deadline: float, *roles: Role) -> bool:
        try:
            async with asyncio.timeout(deadline):
                while any(session.role in roles for session in self.sessions.values()):
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True

    # For the server that carries the legs.

    async def run(self) -> None:
        """Keep the trunk open until cancelled."""
        await self._trunk.run()

    async def serve(self, headers: Mapping[str, str], accept: Callable[[], Awaitable[Link]]) -> None:
        """Carry one leg: `headers` (in any case) ask for it, `accept` answers 101. Raises LegRefused before that."""
        if self._agent is None:
            raise LegRefused(503, "this node has no agent")
        session = self._seat(read_opening(headers))
        try:
            await session.carry(await accept(), self._agent)
        except* Exception as failed:
            log.error("session %s: the agent failed", session.id, exc_info=failed.exceptions[0])
        finally:
            if self.sessions.get(session.id) is session:
                del self.sessions[session.id]
            self._left.set()

    async def answer(self, asked: Asked, answer: Answer) -> None:
        """Answer one HTTP request. Raises RequestRefused, and whatever the agent raises."""
        assert self._answerer is not None
        try:
            opening = read_opening(asked.headers)
            session = await self._http_session(opening)
        except (LegRefused, LookupError) as refused:
            raise RequestRefused(str(refused)) from None
        await session.take(asked, answer, opening, self._answerer)

    async def _http_session(self, opening: Opening) -> HttpSession:
        """The session of a request. Raises LegRefused or LookupError."""
        invite = self._invites.get(opening.session)
        if invite is not None and invite.role is Role.STANDBY and invite.epoch < opening.epoch:
            with contextlib.suppress(TimeoutError):  # the request has overtaken the trunk
                async with asyncio.timeout(PROMOTE_WITHIN):
                    while invite.epoch < opening.epoch and self._invites.get(opening.session) is invite:
                        self._promoted.clear()
                        await self._promoted.wait()
        found = self.sessions.get(opening.session)
        if isinstance(found, HttpSession) and found.epoch >= opening.epoch:
            if found.epoch > opening.epoch:
                raise LegRefused(409, f"epoch {opening.epoch} is over: this node is at {found.epoch}")
            return found
        return self._begin_http(opening, found)

    def _begin_http(self, opening: Opening, before: Session | HttpSession | None) -> HttpSession:
        invite = self._invites.pop(opening.session, None)
        if invite is not None and (invite.epoch != opening.epoch or invite.role is Role.STANDBY):
            invite = None
        if invite is None and self.checkpoints and opening.is_under_way:
            raise LegRefused(409, "not invited: without its checkpoint this node cannot go on with the session")
        state = state_for(opening.resume, invite.checkpoint if invite else None)
        session = HttpSession(opening, state, opening.resume, self._trunk.send, ordered=self.checkpoints,
                              side_by_side=self._side_by_side, regenerates=invite is not None and invite.regenerates)
        if before is not None:
            before.stop()
        self.sessions[session.id] = session
        return session

    def _seat(self, opening: Opening) -> Session:
        """The session that a leg is for. Raises LegRefused."""
        before = self.sessions.get(opening.session)
        if before is not None and before.epoch > opening.epoch:
            raise LegRefused(409, f"epoch {opening.epoch} is over: this node is at {before.epoch}")
        invite = self._invites.get(opening.session)
        if invite is not None and invite.epoch != opening.epoch:
            invite = None
        if invite is None and (opening.role is Role.STANDBY or (self.checkpoints and opening.is_under_way)):
            raise LegRefused(409, "not invited: without its checkpoint this node cannot go on with the session")
        session = Session(opening, self._trunk.send, self._ask_journal)
        try:
            state = state_for(opening.resume, invite.checkpoint if invite else None) if _owns(opening) else None
        except LookupError as fault:
            raise LegRefused(409, str(fault)) from None
        self._invites.pop(opening.session, None)
        session.regenerates = invite is not None and invite.regenerates
        if _owns(opening):
            session.resume(opening.resume, state)
            session.own(opening.epoch)
        if before is not None:
            before.stop()  # the edge has one leg to a session's node; this one is newer
        self.sessions[session.id] = session
        return session

    # The trunk.

    def _register(self) -> dict[str, Any]:
        return {"type": "register", "node": self.name, "pool": self.pool, "url": self.url, "zone": self.zone,
                "labels": self.labels, "capacity": self.capacity, "checkpoints": self.checkpoints}

    def _heartbeat(self) -> dict[str, Any]:
        count = len(self.sessions)
        return {"type": "heartbeat", "sessions": count, "load": count / max(1, self.capacity)}

    def _opened(self) -> None:
        # What was said while there was no trunk is lost: say again what still holds.
        for session in self.sessions.values():
            session.tell_checkpoint()
        if self._draining_until is not None:
            self._tell_drain()

    def _tell_drain(self) -> None:
        if self._draining_until is not None:
            left = self._draining_until - asyncio.get_running_loop().time()
            self._trunk.send({"type": "drain", "deadline": max(0.0, left)})

    def _heard(self, message: Mapping[str, Any]) -> None:
        """A message of the edge that names a session. Raises KeyError, TypeError or ValueError for one of bad form."""
        key, session = message["session"], self.sessions.get(message["session"])
        match message["type"]:
            case "invite":
                self._answer(message)
            case "journal" if key in self._journals:
                self._journals.pop(key).set_result(message["messages"])
            case "release":
                if key in self._invites and self._invites[key].epoch <= message["epoch"]:
                    del self._invites[key]
                if session is not None and session.epoch <= message["epoch"]:
                    self._release(session)
            case "promote" if isinstance(session, Session) and session.role is Role.STANDBY:
                _promote(session, message)
            case "promote" if key in self._invites and self.answers_requests:
                # A session of HTTP requests stands by as an invitation: there is no leg that could wait.
                self._invites[key] = replace(self._invites[key], epoch=int(message["epoch"]), role=Role.OWNER,
                                             checkpoint=read_checkpoint(message["checkpoint"]))
                self._promoted.set()
            case "checkpoint_now" if session is not None and session.epoch == message["epoch"]:
                self._checkpoint(session)

    def _answer(self, message: Mapping[str, Any]) -> None:
        now = asyncio.get_running_loop().time()
        invite = Invite(str(message["session"]), int(message["epoch"]), Role(message["role"]), str(message["agent"]),
                        dict(message["manifest"]), read_checkpoint(message["checkpoint"]),
                        now + (REQUEST_WITHIN if self.answers_requests else INVITE_LASTS))
        self._invites = {key: other for key, other in self._invites.items() if other.expires > now}
        answer: dict[str, Any] = {"session": invite.session, "epoch": invite.epoch}
        objection = self._objection(invite)
        if objection is None:
            self._invites[invite.session] = invite
            self._trunk.send({"type": "accept", **answer})
        else:
            self._trunk.send({"type": "decline", **answer, "reason": objection, "retry_after": 1})

    def _objection(self, invite: Invite) -> str | None:
        if self._draining_until is not None:
            return "draining"
        others = (self.sessions.keys() | self._invites.keys()) - {invite.session}
        if len(others) >= self.capacity:
            return "full"
        return self._on_invite(invite) if self._on_invite else None

    def _release(self, session: Session | HttpSession) -> None:
        session.release()
        if isinstance(session, HttpSession):
            del self.sessions[session.id]
            self._left.set()

    def _checkpoint(self, session: Session | HttpSession) -> None:
        session.checkpoint_requested = True
        state = self._on_checkpoint(session) if self._on_checkpoint else None
        if state is not None:
            session.checkpoint(state)
        elif session.is_covered:
            session.tell_checkpoint()

    async def _ask_journal(self, session: Session) -> list[str | bytes]:
        owed = range(session.sent + 1, session.sent + session.skip + 1)
        answer = self._journals[session.id] = asyncio.get_running_loop().create_future()
        self._trunk.send({"type": "journal", "session": session.id, "epoch": session.epoch, "after": session.sent})
        try:
            async with asyncio.timeout(JOURNAL_WITHIN):
                messages = {message["seq"]: message for message in await answer}
        finally:
            self._journals.pop(session.id, None)
        if not all(seq in messages for seq in owed):
            raise LookupError(f"session {session.id}: the edge no longer has messages {owed.start} to {owed.stop - 1}")
        return [_content(messages[seq]) for seq in owed]


def _content(message: Mapping[str, Any]) -> str | bytes:
    return str(message["text"]) if "text" in message else base64.b64decode(message["base64"])


def _owns(opening: Opening) -> bool:
    return opening.role is Role.OWNER


def _promote(session: Session, message: Mapping[str, Any]) -> None:
    point = Resume(int(message["received"]), int(message["sent"]), int(message["delivered"]), "")
    try:
        session.resume(point, state_for(point, read_checkpoint(message["checkpoint"])))
    except LookupError as fault:
        log.error("session %s cannot be promoted: %s", session.id, fault)
        session.stop()
    else:
        session.own(int(message["epoch"]))
