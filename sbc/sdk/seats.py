"""The sessions that a node has, and those it was invited to: who may sit down, and from where a session goes on."""

import asyncio
import base64
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sbc.model.binding import Resume
from sbc.model.leg import Role
from sbc.sdk.http_session import HttpSession
from sbc.sdk.link import LegRefused
from sbc.sdk.opening import Invite, Opening, read_checkpoint, state_for
from sbc.sdk.session import Session

JOURNAL_WITHIN = 5.0
PROMOTE_WITHIN = 3.0
"""How long a request waits for the word that this node, which stood by, owns its session now."""

log = logging.getLogger("sbc.sdk")


class Seats:
    """What the trunk says of sessions, and what comes for them on legs and with requests, brought together."""

    def __init__(self, send: Callable[[str, dict[str, Any]], None], *, checkpoints: bool) -> None:
        """send: says something to the edge of this name; empty: to all, whichever it is of them. checkpoints: whether
        the agent makes any."""
        self.sessions: dict[str, Session | HttpSession] = {}
        self._send = send
        self._checkpoints = checkpoints
        self._invites: dict[str, Invite] = {}
        self._journals: dict[str, asyncio.Future[list[Mapping[str, Any]]]] = {}
        self._left = asyncio.Event()
        self._promoted = asyncio.Event()

    # Coming and going.

    def expect(self, invite: Invite, now: float) -> None:
        """The node takes this session; invitations that nobody came for are void by now."""
        self._invites = {key: other for key, other in self._invites.items() if other.expires > now}
        self._invites[invite.session] = invite

    def objection(self, invite: Invite) -> str | None:
        """Why an invitation is none: an edge that has lost the session, or never had it, may not know that."""
        for there in (self.sessions.get(invite.session), self._invites.get(invite.session)):
            if there is not None and there.epoch > invite.epoch:
                return f"epoch {invite.epoch} is over: this node is at {there.epoch}"
            if there is not None and there.epoch == invite.epoch and there.edge not in ("", invite.edge):
                return f"epoch {invite.epoch} is edge {there.edge}'s"
        return None

    def others(self, session: str) -> int:
        """How many sessions besides this one are here, or are expected."""
        return len((self.sessions.keys() | self._invites.keys()) - {session})

    def take_leg(self, opening: Opening) -> Session:
        """The session that a leg is for. Raises LegRefused."""
        before = self.sessions.get(opening.session)
        if before is not None and before.epoch > opening.epoch:
            raise LegRefused(409, f"epoch {opening.epoch} is over: this node is at {before.epoch}")
        invite = self._invites.get(opening.session)
        if invite is not None and invite.epoch != opening.epoch:
            invite = None
        if invite is None and (opening.role is Role.STANDBY or (self._checkpoints and opening.is_under_way)):
            raise LegRefused(409, "not invited: without its checkpoint this node cannot go on with the session")
        edge = invite.edge if invite else ""
        session = Session(opening, partial(self._send, edge), self._ask_journal, edge)
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

    async def of_request(self, opening: Opening, *, side_by_side: bool) -> HttpSession:
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
        return self._begin(opening, found, side_by_side)

    def _begin(self, opening: Opening, before: Session | HttpSession | None, side_by_side: bool) -> HttpSession:
        invite = self._invites.pop(opening.session, None)
        if invite is not None and (invite.epoch != opening.epoch or invite.role is Role.STANDBY):
            invite = None
        if invite is None and self._checkpoints and opening.is_under_way:
            raise LegRefused(409, "not invited: without its checkpoint this node cannot go on with the session")
        state = state_for(opening.resume, invite.checkpoint if invite else None)
        edge = invite.edge if invite else ""
        session = HttpSession(opening, state, opening.resume, partial(self._send, edge), edge,
                              ordered=self._checkpoints, side_by_side=side_by_side,
                              regenerates=invite is not None and invite.regenerates)
        if before is not None:
            before.stop()
        self.sessions[session.id] = session
        return session

    def leave(self, session: Session | HttpSession) -> None:
        """The session is over here, or another one has its place already."""
        if self.sessions.get(session.id) is session:
            del self.sessions[session.id]
        self._left.set()

    def forget(self, since: Callable[[str], float], before: float) -> None:
        """Let go of sessions of requests, and of invitations to them, that nothing was heard of after `before`, and
        whose edge may not know them any more: it had no trunk to here all the time since then, and could not say that
        they are over. since: when the trunk to an edge was opened."""
        for session in tuple(self.sessions.values()):
            if (isinstance(session, HttpSession) and not session.is_busy
                    and session.touched < before and since(session.edge) > session.touched):  # fmt: skip
                self._release(session)
        self._invites = {key: invite for key, invite in self._invites.items()
                         if invite.made >= before or since(invite.edge) <= invite.made}  # fmt: skip

    async def empty(self, deadline: float, *roles: Role) -> bool:
        """Wait until no session in these roles is left; False: there is one after `deadline` seconds."""
        try:
            async with asyncio.timeout(deadline):
                while any(session.role in roles for session in self.sessions.values()):
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True

    # What the trunk says.

    def heard(self, message: Mapping[str, Any], *, requests: bool) -> None:
        """A word on one session: `journal`, `release` or `promote`. requests: whether sessions may be made of those.
        Raises KeyError, TypeError or ValueError for a message of bad form."""
        key = message["session"]
        session = self.sessions.get(key)
        match message["type"]:
            case "journal" if key in self._journals:
                self._journals.pop(key).set_result(message["messages"])
            case "release":
                if key in self._invites and self._invites[key].epoch <= message["epoch"]:
                    del self._invites[key]
                if session is not None and session.epoch <= message["epoch"]:
                    self._release(session)
            case "promote" if isinstance(session, Session) and session.role is Role.STANDBY:
                if session.epoch <= message["epoch"]:
                    _promote(session, message)
            case "promote" if key in self._invites and requests and self._invites[key].epoch <= message["epoch"]:
                # A session of HTTP requests stands by as an invitation: there is no leg that could wait.
                self._invites[key] = replace(self._invites[key], epoch=int(message["epoch"]), role=Role.OWNER,
                                             checkpoint=read_checkpoint(message["checkpoint"]))
                self._promoted.set()

    def _release(self, session: Session | HttpSession) -> None:
        session.release()
        if isinstance(session, HttpSession):
            self.leave(session)

    async def _ask_journal(self, session: Session) -> list[str | bytes]:
        owed = range(session.sent + 1, session.sent + session.skip + 1)
        answer = self._journals[session.id] = asyncio.get_running_loop().create_future()
        asked = {"type": "journal", "session": session.id, "epoch": session.epoch, "after": session.sent}
        self._send(session.edge, asked)
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
