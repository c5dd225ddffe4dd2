"""What durable stores have in common: each thing that a Store is asked, as an operation in their queue (queue.py)."""

from collections.abc import Callable, Sequence
from functools import partial

from sbc.model.binding import Binding, Checkpoint
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.stores.operations import (
    Cover,
    Create,
    Forget,
    Forgive,
    Keep,
    Learn,
    Read,
    ReadDialogs,
    ReadRevocations,
    Rebind,
    Remember,
    Remove,
    Revoke,
)
from sbc.stores.queue import Queue


class QueuedStore(Queue):
    """See Store."""

    durable = True

    def create(self, stored: Stored, done: Callable[[Exception | None], None]) -> None:
        """See Store."""
        self._ask(Create(stored, done))

    def rebind(self, binding: Binding, expected: int, done: Callable[[Exception | None], None]) -> None:
        """See Store."""
        self._ask(Rebind(binding, expected, done))

    async def journals(self, session: SessionId) -> Journals:
        """See Store. The newest messages without a gap: what was dropped is not there, nor what stood before it."""
        return await self.asked(partial(Read, session))

    def checkpoint(self, session: SessionId, checkpoint: Checkpoint) -> None:
        """See Store. One that goes back behind the newest is ignored: what that covers is gone."""
        self._note(Cover(session, checkpoint), 0)

    def journal(self, session: SessionId, from_client: bool, first: int, messages: Sequence[bytes],
                done: Callable[[Exception | None], None] | None = None) -> None:  # fmt: skip
        """See Store."""
        size = sum(map(len, messages))
        self._note(Keep(session, from_client, first, tuple(messages), size, done), size)

    def forget_before(self, session: SessionId, from_client: bool, first: int) -> None:
        """See Store."""
        self._note(Forget(session, from_client, first), 0)

    def learn(self, session: SessionId, learned: Sequence[tuple[str, str]],
              forgotten: Sequence[tuple[str, str]]) -> None:  # fmt: skip
        """See Store."""
        size = sum(len(kind) + len(value) for kind, value in [*learned, *forgotten])
        self._note(Learn(session, tuple(learned), tuple(forgotten)), size)

    def remember(self, session: SessionId, memory: str) -> None:
        """See Store."""
        self._note(Remember(session, memory), len(memory))

    def remove(self, session: SessionId) -> None:
        """See Store. Never dropped, or the session could not be opened anew; as many as there were dialogs at most."""
        self._leave(Remove(session))

    def adopt(self, stored: Stored) -> None:
        """See Store."""

    def forsake(self, session: SessionId) -> None:
        """See Store."""

    async def on_record(self) -> Sequence[Stored]:
        """See Store."""
        return await self.asked(ReadDialogs)

    def succeeded(self) -> None:
        """See Store."""

    async def revoke(self, revocation: Revocation) -> None:
        """See Store."""
        await self.asked(partial(Revoke, revocation))

    async def forgive(self, kind: Revoked, name: str) -> None:
        """See Store."""
        await self.asked(partial(Forgive, kind, name))

    async def revocations(self) -> Sequence[Revocation]:
        """See Store."""
        return await self.asked(ReadRevocations)
