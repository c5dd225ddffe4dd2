"""One session on a node: what its agent holds in hand.

It counts, so that the agent need not. `received` is what the agent has taken, not what has arrived; `sent` is what it
has said since the session began, on whichever node. After a handover both start at the checkpoint's counts; what the
client was given beyond that (`skip` messages) is not said again: either the agent says it all and the first `skip` of
it go nowhere, or it asks `already_said()` and goes on from there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sbc.model.binding import Checkpoint, Resume
from sbc.model.errors import CloseCode
from sbc.model.leg import Role
from sbc.sdk.inbox import Inbox
from sbc.sdk.link import Link, SessionClosed
from sbc.sdk.opening import Opening

STATE_LIMIT = 64 * 1024
"""Bytes of a checkpoint's state in UTF-8."""
LEAVING = 5.0
"""How long an agent may work on what it was sent when the client said goodbye."""
RELEASING = 0.5
"""How long a released session waits for its leg to be closed, which says whether the session is over or elsewhere."""

Tell = Callable[[dict[str, Any]], None]
AskJournal = Callable[["Session"], Awaitable[list[str | bytes]]]


class Session:
    """Iterate over it for the client's messages, `send` to answer, `checkpoint` what must survive this node."""

    def __init__(self, opening: Opening, tell: Tell, ask_journal: AskJournal, edge: str) -> None:
        self.id = opening.session
        self.epoch = opening.epoch
        self.role = opening.role
        self.agent = opening.agent
        self.continuity = opening.continuity
        self.principal = opening.principal
        self.edge = edge
        """The name of the edge that has the session; empty: it came without an invitation, and nobody has said."""
        self.state: str | None = None
        """What the last owner checkpointed; None if there is nothing, or the session is new."""
        self.received = 0
        self.sent = 0
        self.skip = 0
        """How many of the next messages the client already has."""
        self.kept: Checkpoint | None = None
        """The last checkpoint made here."""
        self.checkpoint_requested = False
        """The edge would like a checkpoint soon: the session is about to move."""
        self.regenerates = False
        """The edge drops what the client already has: say all of it again."""
        self._tell = tell
        self._ask_journal = ask_journal
        self._inbox: Inbox[str | bytes] = Inbox()
        self._owned = asyncio.Event()
        self._link: Link | None = None
        self._open = True
        self._task: asyncio.Task[None] | None = None
        self._last_word: tuple[CloseCode, str] = CloseCode.GOING_AWAY, "released"

    # For the agent.

    def __aiter__(self) -> "Session":
        return self

    async def __anext__(self) -> str | bytes:
        """The client's next message; the iteration ends when it says goodbye."""
        message = await self._inbox.get()
        if message is None:
            raise StopAsyncIteration
        self.received += 1
        return message

    async def send(self, message: str | bytes) -> None:
        """Say one message; it goes nowhere if the client already has it. Raises SessionClosed."""
        if self._link is None or not self._open:
            raise SessionClosed(self.id)
        self.sent += 1
        if self.skip > 0:
            self.skip -= 1
        else:
            await self._link.send(message)

    async def already_said(self) -> list[str | bytes]:
        """The messages behind `sent` that the client already has; they count as said from here on.

        For an agent that would not say the same again. Raises TimeoutError if the edge does not answer and LookupError
        if it no longer has them all; then nothing has changed.
        """
        if self.skip == 0:
            return []
        said = await self._ask_journal(self)
        self.sent += len(said)
        self.skip = 0
        return said

    def checkpoint(self, state: str) -> None:
        """Tell the edge that `state` covers every message taken and said so far. Raises ValueError over 64 KiB."""
        if len(state.encode()) > STATE_LIMIT:
            raise ValueError(f"a checkpoint's state may have {STATE_LIMIT} bytes")
        self.kept = Checkpoint(self.received, self.sent, state)
        self.checkpoint_requested = False
        self.tell_checkpoint()

    # For the node.

    @property
    def is_covered(self) -> bool:
        """Whether the last checkpoint covers everything so far."""
        return self.kept is not None and (self.kept.received, self.kept.sent) == (self.received, self.sent)

    def tell_checkpoint(self) -> None:
        """Tell the edge the last checkpoint (again)."""
        if self.kept is not None:
            self._tell({"type": "checkpoint", "session": self.id, "epoch": self.epoch,
                        "received": self.kept.received, "sent": self.kept.sent, "state": self.kept.state})

    def resume(self, point: Resume | None, state: str | None) -> None:
        """Go on from a checkpoint's counts and state."""
        self.state = state
        if point is not None:
            self.received, self.sent = point.received, point.sent
            self.skip = 0 if self.regenerates else max(0, point.delivered - point.sent)

    def own(self, epoch: int) -> None:
        """The session is this node's: let the agent begin."""
        self.epoch = epoch
        self.role = Role.OWNER
        self._owned.set()

    async def carry(self, link: Link, agent: Callable[["Session"], Awaitable[None]]) -> None:
        """Run the agent over an open leg until either is done. What the agent raises, but SessionClosed, is raised."""
        self._link = link
        try:
            if self._open:
                async with asyncio.TaskGroup() as group:
                    self._task = group.create_task(self._act(agent), name=f"session {self.id}")
                    listening = group.create_task(self._listen(link), name=f"leg of {self.id}")
                    self._task.add_done_callback(lambda _: listening.cancel())
        finally:
            self._open = False
            await link.close(*self._last_word)

    def release(self) -> None:
        """The session is no longer this node's."""
        if self._task is None:
            self._open = False
        else:
            asyncio.get_running_loop().call_later(RELEASING, self._task.cancel)

    def stop(self) -> None:
        """Cancel the agent and close the leg so that the edge takes the session elsewhere."""
        self._open = False
        if self._task is not None:
            self._task.cancel()

    async def _act(self, agent: Callable[["Session"], Awaitable[None]]) -> None:
        try:
            await self._owned.wait()
            await agent(self)
            if self._open:
                self._tell({"type": "bye", "session": self.id, "epoch": self.epoch, "result": "done"})
            self._last_word = CloseCode.NORMAL, ""
        except SessionClosed:
            pass
        except Exception:
            self._last_word = CloseCode.INTERNAL, "the agent failed"
            raise

    async def _listen(self, link: Link) -> None:
        while (message := await link.receive()) is not None:
            await self._inbox.put(message, len(message))
        self._open = False
        assert self._task is not None
        if link.close_code == CloseCode.NORMAL:
            # The client said goodbye: what it said before is still worth hearing.
            self._inbox.end()
            asyncio.get_running_loop().call_later(LEAVING, self._task.cancel)
        else:
            # The session may go on elsewhere, with everything since the checkpoint: it must not go on here too.
            self._task.cancel()
