"""A session as an application has it: one conversation, over as many connections as it takes.

    async with connect("https://edge.example/tutor") as session:
        await session.send("hello")
        async for message in session:
            ...

`_keep` carries it: a connection is read, written and watched until it is lost; then the session comes back over another
one, says again what the edge has not, and hears what it is owed. The caller sees nothing of it but a Gap.
"""

import asyncio
import contextlib
import random
from collections.abc import Mapping
from types import TracebackType

from sbc.model.errors import CloseCode
from sbc.sdk.client.bearer import Bearer
from sbc.sdk.client.contract import (
    Gap,
    Refused,
    SessionEnded,
    Span,
    Ticket,
    Unreachable,
    after_close,
    after_refusal,
    hello_fields,
    read_welcome,
)
from sbc.sdk.client.outbox import Outbox
from sbc.sdk.client.stream import Transport
from sbc.sdk.client.ways import Ways
from sbc.sdk.client.websocket import WebSocket
from sbc.sdk.inbox import Inbox

Message = str | bytes

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0
"""Seconds between attempts to come back."""
LAST_WORD = 5.0
"""Seconds that a session which is left has to write what was said, and to be closed on both sides."""


class Session:
    """Iterate over it for messages and gaps; `send` to speak."""

    def __init__(self, ways: Ways, path: str, fields: Mapping[str, str], bearer: Bearer, ticket: Ticket | None,
                 patience: float, ping: float, outbox: Outbox, message: int) -> None:  # fmt: skip
        self._ways = ways
        self._path = path
        self._fields = fields
        self._bearer = bearer
        self._ticket = ticket
        """What the edge would be told now: counts what has arrived."""
        self._taken = ticket.received if ticket is not None else 0
        """How many messages the caller has taken."""
        self._patience = patience
        self._ping = ping
        self._outbox = outbox
        self._limit = message
        self._inbox: Inbox[Message | Gap] = Inbox()
        self._wake = asyncio.Event()
        """There is something to write."""
        self._asked = -1
        """How many messages were written when the edge was last asked; -1: the answer is here."""
        self._link: WebSocket | None = None
        self._hole = Gap()
        """What was lost with the connection before this one."""
        self._leaving = False
        self._ended: SessionEnded | None = None
        self._group = asyncio.TaskGroup()
        self._written = asyncio.Event()
        """All that was said is written, or never will be."""
        self._keeper: asyncio.Task[None] | None = None

    # For the application.

    @property
    def ticket(self) -> Ticket:
        """What is needed to come back to this session after `leave`. It counts what was taken out of it here."""
        assert self._ticket is not None
        return Ticket(self._ticket.token, self._taken)

    @property
    def transport(self) -> Transport | None:
        """What carries the session now; None while it is coming back, or over."""
        return None if self._link is None else self._link.transport

    async def send(self, message: Message) -> None:
        """Say one message. Returns when it is sure to be said, by this or another connection; waits while the edge
        has too much of what was said before still to take. Raises SessionEnded."""
        if self._ended is None and not self._leaving:
            await self._outbox.put(message)
            self._written.clear()
            self._wake.set()
        if self._ended is not None or self._leaving:
            raise self._ended or SessionEnded(CloseCode.NORMAL, "closed here")

    def __aiter__(self) -> "Session":
        return self

    async def __anext__(self) -> Message | Gap:
        """The next message, or the hole where messages should be. The iteration ends when the agent has said goodbye,
        or this side. Raises SessionEnded when the session came to any other end."""
        item = await self._inbox.get()
        if item is not None:
            self._taken += item.lost if isinstance(item, Gap) else 1
            return item
        if self._ended is None or self._ended.code == CloseCode.NORMAL or self._leaving:
            raise StopAsyncIteration
        raise self._ended

    async def close(self) -> None:
        """Say goodbye: the session ends. What was said before is written first, within five seconds."""
        await self._leave(CloseCode.NORMAL)

    async def leave(self) -> Ticket:
        """Go, to come back: the edge keeps the session for as long as its agent's `hold`. The ticket to come back
        with."""
        await self._leave(CloseCode.GOING_AWAY)
        return self.ticket

    async def __aenter__(self) -> "Session":
        """Begin, or come back. Raises Refused or Unreachable."""
        await self._group.__aenter__()
        try:
            link = await self._enter()
        except BaseException:
            await self._group.__aexit__(None, None, None)
            raise
        self._keeper = self._group.create_task(self._keep(link), name="session")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None,
                        trace: TracebackType | None) -> None:
        # What the caller raised is raised as it is, not in a group: the group is told of nothing.
        try:
            await self.close()
        finally:
            if self._keeper is not None:
                self._keeper.cancel()  # for one who was interrupted in the goodbye
            await self._group.__aexit__(None, None, None)

    # Connections.

    async def _enter(self) -> WebSocket:
        """The first connection. Raises Refused or Unreachable."""
        try:
            async with asyncio.timeout(self._patience) as deadline:
                while True:
                    try:
                        return await self._open()
                    except Refused as refused:
                        span = after_refusal(refused, returning=False)
                        if span is None or _after(span) > (deadline.when() or 0.0):
                            raise
                        await asyncio.sleep(random.uniform(*span))
        except TimeoutError:
            raise Unreachable(f"not within {self._patience:g} s") from None

    async def _open(self) -> WebSocket:
        """One attempt. Raises Refused or Unreachable."""
        shown = await self._bearer.fields()
        stream = await self._ways.open(self._path, {**self._fields, **shown, **hello_fields(self._ticket)})
        try:
            welcome = read_welcome(stream.fields)
        except Refused:
            stream.abort()
            raise
        received = 0 if self._ticket is None else self._ticket.received
        self._ticket = Ticket(welcome.token, received + welcome.gap)
        self._bearer.expires = welcome.expires
        self._hole = Gap(welcome.gap, self._outbox.rewind(welcome.received or 0))
        self._asked = -1
        self._link = WebSocket(stream, self._limit, self._ponged)
        return self._link

    async def _keep(self, link: WebSocket) -> None:
        """Carry the session to its end."""
        ended = SessionEnded(CloseCode.ABNORMAL, "left while there was no connection")
        try:
            while True:
                try:
                    await self._carry(link)
                finally:
                    self._link = None
                    link.abort()
                ended = SessionEnded(link.close_code, link.close_reason)
                span = after_close(link.close_code, link.close_reason)
                if self._leaving or span is None:
                    break
                if self._outbox.confirmed < self._outbox.said:
                    self._written.clear()  # what was written may be lost
                link = await self._come_back(span, ended)
        except SessionEnded as given_up:
            ended = given_up
        finally:
            self._ended = ended
            self._outbox.rewind(self._outbox.said)  # whoever waits for room has to learn of it
            self._inbox.end()
            self._written.set()

    async def _come_back(self, span: Span, why: SessionEnded) -> WebSocket:
        """Another connection. why: how the last one ended. Raises SessionEnded if there is none in time."""
        give_up_at = asyncio.get_running_loop().time() + self._patience
        backoff, trouble = FIRST_PAUSE, why.reason
        while _after(span) <= give_up_at:
            await asyncio.sleep(random.uniform(*span))
            try:
                return await self._open()
            except Refused as refused:
                again = after_refusal(refused, returning=True)
                if again is None:
                    raise SessionEnded(refused.status, f"{refused.reason} (after {why})") from None
                span, trouble = max(again, (backoff / 2, backoff)), str(refused)
            except Unreachable as fault:
                span, trouble = (backoff / 2, backoff), str(fault)
            backoff = min(backoff * 2, LONGEST_PAUSE)
        raise SessionEnded(why.code, trouble)

    async def _carry(self, link: WebSocket) -> None:
        """Read, write and watch one connection until it is lost."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._write(link), name="session writer"),
                      group.create_task(self._watch(link), name="session watch"),
                      group.create_task(self._renew(link), name="session renewal")]
            if self._hole != Gap():
                await self._inbox.put(self._hole, 0)
            while (message := await link.receive()) is not None:
                assert self._ticket is not None
                self._ticket = Ticket(self._ticket.token, self._ticket.received + 1)
                await self._inbox.put(message, len(message))
            for task in beside:
                task.cancel()

    async def _write(self, link: WebSocket) -> None:
        """Write what is said."""
        with contextlib.suppress(ConnectionError):  # the reader learns of it too
            while True:
                while (message := self._outbox.next()) is not None:
                    await link.send(message)
                    if self._outbox.crowded:
                        self._ask(link)
                self._written.set()
                self._wake.clear()
                await self._wake.wait()

    async def _renew(self, link: WebSocket) -> None:
        """Come back with a fresh token in time: nothing is lost by that."""
        await self._bearer.fades()
        link.abort()

    def _ask(self, link: WebSocket) -> None:
        """Have the edge confirm what is written: it answers a ping once it has what came before it."""
        if self._asked < 0:
            self._asked = self._outbox.written
            link.ping(b"%d" % self._asked)

    def _ponged(self, payload: bytes) -> None:
        if payload == b"%d" % self._asked:
            self._outbox.confirm(self._asked)
            self._asked = -1
            if self._outbox.crowded and self._link is not None:
                self._ask(self._link)

    async def _watch(self, link: WebSocket) -> None:
        """Ask a silent edge for a sign of life, and give up a connection that has none."""
        silent = 0
        while silent < 2:
            await asyncio.sleep(self._ping)
            # What is not read because the caller takes nothing is no sign of death.
            silent = 0 if link.heard or self._inbox.full else silent + 1
            link.heard = False
            self._ask(link)
        link.abort()

    async def _leave(self, code: CloseCode) -> None:
        """Write what was said, close, and let go at last of whatever is still under way."""
        assert self._keeper is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                await self._written.wait()
                self._leaving = True
                self._inbox.end()
                if self._link is not None:
                    self._link.close(code, "")
                    await asyncio.wait([self._keeper])
        self._leaving = True
        self._keeper.cancel()
        await asyncio.wait([self._keeper])


def _after(span: Span) -> float:
    """The earliest time of the loop's clock at the end of a span that begins now."""
    return asyncio.get_running_loop().time() + span[0]
