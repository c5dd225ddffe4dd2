"""A client's WebSocket on its way to the worker or edge that has its session: an extended CONNECT (RFC 8441) on the
interconnect, whose stream carries the client's bytes as they are."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sbc.model.http import Fields, first
from sbc.nodes.extended_connect import ExtendedConnect, Line

LONGEST_ANSWER = 16 * 1024
"""What is kept of the body of a refusal, in bytes."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The session is open: what the client is to be told, and what carries its bytes."""

    fields: Fields
    transport: asyncio.Transport


@dataclass(frozen=True, slots=True)
class Turned:
    """The owner's own answer: the client is turned away."""

    status: int
    fields: Fields
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer."""

    reason: str


class Passage(ExtendedConnect[Admitted | Turned | Lost]):
    """Admitted once the owner says 200; Turned if it says anything else."""

    __slots__ = ("_answer", "_body", "_fields")

    def __init__(self, fields: Fields, outcome: Callable[[Admitted | Turned | Lost], None]) -> None:
        """fields: the whole head, pseudo-headers first. outcome: told once what came of it."""
        super().__init__(outcome)
        self._fields = fields
        self._answer: Fields = []
        self._body = bytearray()

    def start(self, line: Line) -> None:
        """Ask, on a line that is free."""
        self._ask(line, self._fields)

    def fail(self, reason: str, *, reached: bool) -> None:
        """There will be no answer."""
        self._reset()
        self._tell(Lost(reason))

    def head(self, fields: Fields, end: bool) -> None:
        line = self._line
        if line is None or self._outcome is None:
            return
        if first(fields, b":status") != b"200":
            self._answer = fields
            if end:
                self._turned()
            return
        stream = self._open(line)
        self._tell(Admitted([field for field in fields if field[0] != b":status"], cast(asyncio.Transport, stream)))
        if end:
            stream.data(b"", True)

    def data(self, data: bytes, end: bool) -> None:
        super().data(data, end)
        if self._stream is not None:
            return
        if len(self._body) < LONGEST_ANSWER:
            self._body += data
        if end and self._answer:
            self._turned()

    def trailers(self, fields: Fields) -> None:
        super().trailers(fields)
        if self._stream is None and self._answer:
            self._turned()

    def _turned(self) -> None:
        status = int(first(self._answer, b":status") or 502)
        self._reset()
        self._tell(Turned(status, [field for field in self._answer if field[0] != b":status"], bytes(self._body)))
