"""What durable stores have in common: the side on the event loop, which never waits for the disk or the network.

Operations are collected and handed to a writer as a batch, one batch at a time:

    nothing waits --note--> after `interval` seconds --> batch to the writer --committed--> nothing waits
                  --question--> at once (the next turn of the loop)  |
                                                                     +--failed--> back-off, then the notes again

A failed batch answers its questions (create, rebind, journals) with StoreError, for somebody waits for them; its notes
are tried again for `patience` seconds, then journal notes are dropped, which the next reader sees as a gap. While the
writer fails, it is tried every second at least, so that `healthy` recovers without being asked.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from sbc.model.errors import StoreError
from sbc.model.interfaces import Stored
from sbc.stores.operations import (
    Cover,
    Forget,
    Keep,
    Lasting,
    Learn,
    Note,
    Operation,
    Question,
    Remember,
    Remove,
    Result,
    Told,
)
from sbc.stores.shared import Call, Release, Touch

LARGE_BATCH: Final = 1000
"""Operations that are handed over without waiting for the interval."""
FIRST_RETRY: Final = 0.05
LAST_RETRY: Final = 1.0
"""Seconds between two attempts on a writer that fails: doubled from the first to the last."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may wait for the writer."""

    operations: int
    journal_bytes: int
    interval: float
    """Seconds for which notes are collected."""
    patience: float
    """Seconds for which notes are kept while the writer fails."""


class Writer(Protocol):
    """Carries batches out, one at a time, and tells what became of each."""

    def submit(self, batch: Sequence[Operation]) -> None:
        """Have a batch written; the next one only after `written` was told. An empty batch tries whether that works."""

    def stop(self) -> None:
        """Let go of what it writes to; then `closed` is told."""


class Queue:
    """`failed` counts batches that could not be written, `dropped` notes that were given up."""

    def __init__(self, name: str, bounds: Bounds) -> None:
        """name: what errors call it."""
        self.failed = 0
        self.dropped = 0
        self._name = name
        self._bounds = bounds
        self._writer: Writer | None = None
        self._closed: asyncio.Future[None] | None = None
        """Somebody is closing the store, if it is there."""
        self._pending: list[Operation] = []
        self._pending_bytes = 0
        self._hurry = False
        """Whether somebody waits for one of `_pending`."""
        self._batch: list[Operation] | None = None
        """With the writer at the moment."""
        self._batch_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._failing_since: float | None = None
        self._retry = FIRST_RETRY

    async def open(self) -> Sequence[Stored]:
        """See Store."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[Sequence[Stored]] = self._loop.create_future()
        writer = self._writer_for(lambda told: _settle(opened, told))
        try:
            dialogs = await opened
        except asyncio.CancelledError:
            writer.stop()
            raise
        self._writer = writer
        return dialogs

    def _writer_for(self, opened: Told[Sequence[Stored]]) -> Writer:
        """Start a writer, which tells `opened`, then `_written` of each batch, and at last `_gone`."""
        raise NotImplementedError

    async def close(self) -> None:
        """See Store. Where the writer fails, what waits is tried once more and then dropped."""
        if self._writer is None:
            return
        if self._closed is None:
            self._closed = self._loop.create_future()
            if self._batch is None:
                self._hand_over(self._writer)
        await self._closed

    def _leave(self, order: Lasting) -> None:
        if self._writer is not None and self._closed is None:
            self._pending.append(order)
            self._wake_in(self._bounds.interval)

    async def asked(self, question: Callable[[Callable[[T | StoreError], None]], Question]) -> T:
        """The answer to a question. Raises StoreError."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._ask(question(lambda told: _settle(answer, told)))
        return await answer

    def healthy(self) -> bool:
        """See Store."""
        return self._writer is not None and self._failing_since is None

    def _ask(self, question: Question) -> None:
        if self._writer is None or self._closed is not None:
            question.done(StoreError(f"{self._name}: not open"))
        elif self._waiting() >= self._bounds.operations:
            question.done(StoreError(f"{self._name}: {self._waiting()} operations wait"))
        else:
            self._pending.append(question)
            self._hurry = True
            self._wake_in(0.0)

    def _note(self, note: Note, size: int) -> None:
        if (self._writer is None or self._closed is not None or self._waiting() >= self._bounds.operations
                or self._pending_bytes + self._batch_bytes + size > self._bounds.journal_bytes):
            self._drop(note)
            return
        self._pending.append(note)
        self._pending_bytes += size
        if isinstance(note, Keep) and note.done is not None:
            self._hurry = True
            self._wake_in(0.0)
        elif self._timer is None or len(self._pending) == LARGE_BATCH:
            self._wake_in(self._bounds.interval if len(self._pending) < LARGE_BATCH else 0.0)

    def _waiting(self) -> int:
        return len(self._pending) + (0 if self._batch is None else len(self._batch))

    def _wake_in(self, delay: float) -> None:
        """Hand over after `delay` seconds, unless that happens sooner anyway. A writer that fails is given a pause."""
        if self._batch is not None or self._writer is None:
            return
        due = self._loop.time() + (delay if self._failing_since is None else max(delay, FIRST_RETRY))
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._hand_over, self._writer)

    def _hand_over(self, writer: Writer) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._batch, self._pending = self._pending, []
        self._batch_bytes, self._pending_bytes = self._pending_bytes, 0
        self._hurry = False
        writer.submit(self._batch)

    def _written(self, told: Sequence[Result] | StoreError) -> None:
        batch, self._batch = self._batch or [], None
        if isinstance(told, StoreError):
            self._refused(batch, told)
        else:
            self._committed(batch, told)
        self._batch_bytes = 0
        self._go_on()

    def _committed(self, batch: Sequence[Operation], results: Sequence[Result]) -> None:
        self._failing_since, self._retry = None, FIRST_RETRY
        for operation, result in zip(batch, results, strict=True):
            match operation:
                case _ if isinstance(operation, Question):
                    self._answer(operation, result)
                case Keep() if operation.done is not None and result is None:
                    self._loop.call_soon(operation.done, None)
                case _ if isinstance(result, Exception):
                    self._lose(operation, result)

    def _refused(self, batch: Sequence[Operation], error: StoreError) -> None:
        now = self._loop.time()
        self.failed += 1
        if self._failing_since is None:
            self._failing_since = now
        impatient = now - self._failing_since > self._bounds.patience
        again: list[Operation] = []
        for operation in batch:
            match operation:
                case _ if isinstance(operation, Question):
                    self._answer(operation, error)
                    again += self._doubtful(operation)
                case Remove() | Release():
                    again.append(operation)
                case Keep() | Cover() | Forget() | Learn() | Remember() | Touch() | Call() if impatient:
                    self._drop(operation)
                case _:
                    again.append(operation)
        self._pending[:0] = again
        self._pending_bytes += 0 if impatient else self._batch_bytes

    def _drop(self, note: Note) -> None:
        """Give a note up, for the store did not take it in time."""
        self._lose(note, StoreError(f"{self._name}: not written in time"))

    def _lose(self, note: Note, why: Exception) -> None:
        self.dropped += 1
        if isinstance(note, Keep) and note.done is not None:
            self._loop.call_soon(note.done, why)

    def _doubtful(self, question: Question) -> Sequence[Operation]:
        """What is to be done because nobody knows whether a question of a batch that failed was acted upon."""
        return ()

    def _answer(self, question: Question, result: Result) -> None:
        # Not called here: one that fails must not keep the others from their answers.
        done: Callable[..., None] = question.done
        self._loop.call_soon(done, result)

    def _go_on(self) -> None:
        """A batch is done with: what is next?"""
        if self._writer is None:
            return
        if self._closed is not None:
            if self._pending and self._failing_since is None:
                self._hand_over(self._writer)
            else:
                self._give_up()
                self._writer.stop()
        elif self._failing_since is not None:
            delay, self._retry = self._retry, min(2 * self._retry, LAST_RETRY)
            self._wake_in(0.0 if self._hurry else delay)
        elif self._pending:
            self._wake_in(0.0 if self._hurry or len(self._pending) >= LARGE_BATCH else self._bounds.interval)

    def _give_up(self) -> None:
        for operation in self._pending:
            match operation:
                case _ if isinstance(operation, Question):
                    self._answer(operation, StoreError(f"{self._name}: closed before it was written"))
                case _:
                    self._lose(operation, StoreError(f"{self._name}: closed before it was written"))
        self._pending.clear()
        self._pending_bytes = 0

    def _gone(self) -> None:
        closed, self._closed, self._writer = self._closed, None, None
        if closed is not None and not closed.done():
            closed.set_result(None)


def _settle(future: asyncio.Future[T], told: T | StoreError) -> None:
    if future.done():  # whoever asked does not wait any longer
        return
    if isinstance(told, StoreError):
        future.set_exception(told)
    else:
        future.set_result(told)
