"""Carries the batches of the Redis store out, each as one pipeline; connects again where the link has broken.

What is read here belongs to one turn: a batch is asked, answered and told before the next one. A batch that is not
answered in time has failed as a whole, whatever of it the server does still: all notes can be said twice, and who asked
is told that nobody knows.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from sbc.model.errors import StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Spawn
from sbc.stores.operations import Cover, Create, Forget, Keep, Learn, Operation, Remember, Result, Told
from sbc.stores.redis_dial import FAULTS, Terms
from sbc.stores.redis_link import Identity, Link, connect
from sbc.stores.redis_rows import Words
from sbc.stores.redis_words import Lost, Taken, afterwards, channel, command, leaving, result
from sbc.stores.shared import Beat, Claim, Hold, Look, Looked, Touch

NOBODY: Final = Identity("", "", 0.0)


class RedisWriter:
    """See stores/queue.py, Writer. `link` is there while it works."""

    def __init__(self, name: str, terms: Terms, lease: float, spawn: Spawn, me: Callable[[], str],
                 written: Told[Sequence[Result]], closed: Callable[[], None],
                 noticed: Callable[[SessionId, Lost | Taken], None], replaced: Callable[[], None]) -> None:  # fmt: skip
        """lease: in seconds. me: the tenure in whose name all is asked. noticed: told of what shows that the store has
        lost a session, or that another edge has it. replaced: told when the servers are others than before."""
        self.link: Link | None = None
        self.identity = NOBODY
        self.succeeded = False
        """Whether the lease is a successor's from here on."""
        self._name = name
        self._terms = terms
        self._lease = int(lease * 1000)
        self._me = me
        self._written = written
        self._closed = closed
        self._noticed = noticed
        self._replaced = replaced
        self._before = ""
        """Which servers they were last."""
        self._number: int | None = None
        """Of the connection at the server."""
        self._jobs: asyncio.Queue[Sequence[Operation] | None] = asyncio.Queue(maxsize=2)
        spawn("store", self._run())

    def submit(self, batch: Sequence[Operation]) -> None:
        """See Writer."""
        self._jobs.put_nowait(batch)

    def stop(self) -> None:
        """See Writer."""
        self._jobs.put_nowait(None)

    async def _run(self) -> None:
        try:
            while (batch := await self._jobs.get()) is not None:
                self._written(await self._perform(batch))
            await self._leave()
        finally:
            self._closed()

    async def _perform(self, batch: Sequence[Operation]) -> Sequence[Result] | StoreError:
        try:
            if self.link is None:
                self.link, self._number = await connect(self._terms, self._number)
                self.identity = NOBODY
            if self.identity is NOBODY or any(isinstance(operation, Beat) for operation in batch):
                await self._identify(self.link)
            return await self._carry_out(self.link, batch)
        except FAULTS as error:
            await self._drop()
            return StoreError(f"{self._name}: {str(error) or type(error).__name__}")
        except StoreError as error:
            return StoreError(f"{self._name}: {error}")

    async def _identify(self, link: Link) -> None:
        self.identity = await link.identify()
        if self._before not in ("", self.identity.all):
            self._replaced()
        self._before = self.identity.all

    async def _carry_out(self, link: Link, batch: Sequence[Operation]) -> Sequence[Result]:
        me, store = self._me(), (self.identity.home, self.identity.all)
        results: list[Result] = [None] * len(batch)
        asked: list[tuple[int, Words]] = []
        for place, operation in enumerate(batch):
            if isinstance(operation, Claim | Create | Look | Hold) and operation.store not in ("", self.identity.all):
                results[place] = StoreError(f"{self._name}: it is another server meanwhile")
                continue
            try:
                asked.append((place, command(operation, me, self._lease, store)))
            except (TypeError, ValueError) as error:
                results[place] = StoreError(f"cannot be stored: {error}")
        answers = await link.run([words for _, words in asked])
        later: list[Words] = []
        for (place, _), said in zip(asked, answers, strict=True):
            results[place] = self._heard(batch[place], said)
            later += afterwards(batch[place], said)
            operation = batch[place]
            if isinstance(operation, Look) and not isinstance(said, Exception):
                results[place] = await self._looked(link, operation.tenure, said)
        if later:
            await link.run(later)
        return results

    def _heard(self, operation: Operation, said: Any) -> Result:
        if isinstance(said, Exception):
            return StoreError(f"{self._name}: {said}")
        told = result(operation, said, self.identity.all, self.identity.settled)
        if isinstance(told, Lost | Taken) and isinstance(operation, Keep | Cover | Forget | Learn | Remember | Touch):
            self._noticed(operation.session, told)
        return told

    async def _looked(self, link: Link, asked: str, said: Sequence[bytes | None]) -> Looked:
        tenure, beat, home = (str(part or b"", "utf-8") for part in said)
        # Another server than the one that the edge is connected to cannot know whether it is.
        connected = tenure != asked or home != self.identity.home or await link.listeners(channel(asked)) > 0
        return Looked(tenure or None, int(beat or 0), connected)

    async def _drop(self) -> None:
        link, self.link, self.identity = self.link, None, NOBODY
        if link is not None:
            await link.close()

    async def _leave(self) -> None:
        """The edge is gone of its own will: nobody has to wait for the end of its lease."""
        try:
            if self.link is not None and not self.succeeded:
                await self.link.run([leaving(self._me())])
        except FAULTS:
            pass  # it ends by itself
        finally:
            await self._drop()
