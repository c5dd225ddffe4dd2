"""What processes of one edge say to each other: JSON over a Unix stream socket, each message with its length first.

    {"ask": 7, "what": "sessions", "with": {...}}     is answered by one of
    {"answer": 7, "value": ...}    {"answer": 7, "error": {...}}
    {"note": "event", "with": {...}}                  is not

Both sides may ask and note. What is wrong comes back as the exception that the other side raised: Refusal, ConfigError,
StoreError or SbcError. A side that does not read for long has 64 MiB waiting for it at most, and is then cut off.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Mapping
from socket import socket
from typing import Any, Final, Protocol, cast

import orjson

from sbc.model.errors import ConfigError, Refusal, SbcError, StoreError
from sbc.model.interfaces import Spawn

LONGEST: Final = 64 * 1024 * 1024
"""Bytes of a message, and of all that wait to be sent."""
PATIENCE: Final = 30.0
"""Seconds that an answer is waited for."""
_LENGTH: Final = 4


class ChannelLost(SbcError):
    """The other side is gone, or does not answer."""


class Unanswered(ChannelLost):
    """The other side does not answer."""


class Hearer(Protocol):
    """Who is asked, and told."""

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        """The answer: a JSON value. Raises SbcError."""

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        """A message that wants no answer."""

    def cut(self) -> None:
        """The channel is closed."""


class Channel(asyncio.Protocol):
    """One side."""

    def __init__(self, hearer: Hearer, spawn: Spawn) -> None:
        self._hearer = hearer
        self._spawn = spawn
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._rest = bytearray()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    async def open(self, sock: socket) -> None:
        """Use a connected socket. Raises OSError."""
        await self._loop.create_unix_connection(lambda: self, sock=sock)

    async def ask(self, what: str, patience: float = PATIENCE, /, **given: Any) -> Any:
        """The answer. Raises what the other side raised, and ChannelLost."""
        number = next(self._numbers)
        answer = self._waiting[number] = self._loop.create_future()
        try:
            self._send({"ask": number, "what": what, "with": given})
            async with asyncio.timeout(patience):
                return await answer
        except TimeoutError:
            raise Unanswered(f"no answer to {what} in {patience:g} s") from None
        finally:
            del self._waiting[number]

    def note(self, what: str, /, **given: Any) -> None:
        """Tell; whoever is gone is not told. Never raises."""
        if self._transport is not None and not self._transport.is_closing():
            self._send({"note": what, "with": given})

    def close(self) -> None:
        """Let go of it."""
        if self._transport is not None:
            self._transport.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ChannelLost("the channel is closed")
        text = _written_out(message)
        if len(text) + transport.get_write_buffer_size() > LONGEST:
            transport.abort()
            return
        transport.write(len(text).to_bytes(_LENGTH) + text)

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        rest = self._rest
        rest += data
        while len(rest) >= _LENGTH:
            end = _LENGTH + int.from_bytes(rest[:_LENGTH])
            if end > LONGEST:
                self.close()
                return
            if len(rest) < end:
                return
            message = _read(rest[_LENGTH:end])
            del rest[:end]
            self._take(message)

    def _take(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"ask": number, "what": what, "with": given}:
                self._spawn(f"answer {what}", self._answer(number, self._hearer.asked(what, given)))
            case {"answer": number, **said}:
                waiting = self._waiting.get(number)
                if waiting is not None and not waiting.done():
                    _settle(waiting, said)
            case {"note": what, "with": given}:
                self._hearer.noted(what, given)

    async def _answer(self, number: int, answer: Awaitable[Any]) -> None:
        try:
            said = {"answer": number, "value": await answer}
        except SbcError as error:
            said = {"answer": number, "error": _written(error)}
        except Exception as error:
            self._reply({"answer": number, "error": _written(SbcError(f"{type(error).__name__}: {error}"))})
            raise  # a fault of our own: logged where tasks are
        self._reply(said)

    def _reply(self, said: Mapping[str, Any]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._send(said)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ChannelLost("the channel is closed"))
        self._hearer.cut()


def _written_out(message: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(message, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # half a surrogate pair in a name that a client chose: text to the standard library alone
        return json.dumps(message, default=str).encode()


def _read(text: bytearray) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def _written(error: SbcError) -> dict[str, Any]:
    match error:
        case Refusal():
            return {"kind": "refusal", "status": error.status, "code": error.code, "detail": error.detail,
                    "retry_after": error.retry_after}
        case ConfigError():
            return {"kind": "config", "faults": error.faults}
        case _:
            return {"kind": "store" if isinstance(error, StoreError) else "", "detail": str(error)}


def _settle(waiting: "asyncio.Future[Any]", said: Mapping[str, Any]) -> None:
    match said:
        case {"value": value}:
            waiting.set_result(value)
        case {"error": {"kind": "refusal", "status": status, "code": code, "detail": detail, "retry_after": after}}:
            waiting.set_exception(Refusal(status, code, detail, retry_after=after))
        case {"error": {"kind": "config", "faults": faults}}:
            waiting.set_exception(ConfigError(faults))
        case {"error": {"kind": "store", "detail": detail}}:
            waiting.set_exception(StoreError(detail))
        case {"error": {"detail": detail}}:
            waiting.set_exception(SbcError(detail))


