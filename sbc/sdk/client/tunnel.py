"""A WebSocket on a stream of its own, opened by an extended CONNECT: what HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220) have
in common."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from sbc.sdk.client.contract import refusal
from sbc.sdk.client.stream import ANSWER_OCTETS, ByteStream, Origin, Transport


def connect_fields(origin: Origin, path: str, fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The head of an extended CONNECT (RFC 8441 section 4, RFC 9220 section 3)."""
    head = {":method": "CONNECT", ":protocol": "websocket", ":scheme": "https" if origin.secure else "http",
            ":authority": origin.authority, ":path": path, "sec-websocket-version": "13"}
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (head | dict(fields)).items()]


class Carrier:
    """A connection that carries one such stream. Whoever reads the connection calls `_answered`, `_came` and `_finish`,
    and overrides what is left open."""

    transport: Transport

    def __init__(self) -> None:
        self._tunnel: _Tunnel | None = None
        self._answer: dict[str, str] | None = None
        self._early = bytearray()
        """What came before anybody could take it."""
        self._finished = ""
        """Why nothing comes any more."""
        self._changed = asyncio.Event()

    def send(self, data: bytes) -> None:
        """Send on the stream; at its end it goes nowhere."""
        raise NotImplementedError

    def taken(self, octets: int) -> None:
        """So much of what came was read."""
        raise NotImplementedError

    def abort(self) -> None:
        """Drop the connection."""
        raise NotImplementedError

    async def _opened(self) -> ByteStream:
        """The stream, once the CONNECT is answered. Raises Refused or ConnectionError."""
        await self._until(lambda: self._answer is not None)
        assert self._answer is not None
        status = int(self._answer.get(":status", "0"))
        if status != 200:
            await self._until(lambda: bool(self._finished) or len(self._early) > ANSWER_OCTETS)
            raise refusal(status, self._answer, bytes(self._early))
        self._tunnel = _Tunnel(self, self._answer)
        self._tunnel.fed(bytes(self._early))
        if self._finished:
            self._tunnel.ended()
        return self._tunnel

    async def _until(self, there: Callable[[], bool]) -> None:
        while not there():
            if self._finished:
                raise ConnectionError(self._finished)
            self._changed.clear()
            await self._changed.wait()

    def _answered(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self._answer = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields}
        self._changed.set()

    def _came(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.fed(data)
        else:
            self._early += data
            self._changed.set()

    def _crowded(self, crowded: bool) -> None:
        """Whether what was sent piles up."""
        if self._tunnel is None or self._tunnel.over:
            return
        if crowded:
            self._tunnel.writable.clear()
        else:
            self._tunnel.writable.set()

    def _finish(self, why: str) -> None:
        """Nothing comes any more."""
        self._finished = self._finished or why
        self._changed.set()
        if self._tunnel is not None:
            self._tunnel.ended()


class _Tunnel(ByteStream):
    """The stream after its 200."""

    def __init__(self, carrier: Carrier, fields: Mapping[str, str]) -> None:
        super().__init__(carrier.transport, fields)
        self._carrier = carrier

    def write(self, data: bytes) -> None:
        self._carrier.send(data)

    def abort(self) -> None:
        self._carrier.abort()

    def _taken(self, octets: int) -> None:
        self._carrier.taken(octets)
