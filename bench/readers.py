"""Clients that read streams of server-sent events over HTTP/2, and check the number of every event.

`python -m bench.readers` does what it is asked by lines of JSON:

    open  {set, url, ca, connections}           open connections; each carries one request
    add   {set, url, streams, path, within}     open streams, spread over them
    count {set}                                 events that came so far, and what was wrong with them
    close {set}
"""

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from typing import Any, Protocol
from urllib.parse import urlsplit

import uvloop
from ngh2 import (
    Connection,
    ConnectionClosed,
    DataReceived,
    Event,
    ResponseReceived,
    Role,
    Setting,
    SettingsReceived,
    StreamClosed,
)

from bench.common.asked import answer_questions
from bench.common.certificate import client_context
from bench.common.processes import raise_file_limit
from bench.common.web import fields

WINDOW = 2**30
"""The bench is not about flow control."""
_NODE = b' "node": "'
"""What stands between an event's number and the node's name (bench/webnode.py)."""


class Counts(Protocol):
    """What has a stream, and counts what comes on all it has."""

    events: int


class Stream:
    """One stream: the n-th event that the node says has to be the n-th that came."""

    __slots__ = ("_rest", "_speaker", "code", "ended", "events", "faults", "moved", "node", "reader", "status")

    def __init__(self, reader: Counts) -> None:
        self.reader = reader
        self.status = 0
        self.events = 0
        self.node = ""
        """Which one said the last event."""
        self.moved = 0.0
        """When the first event of that one came."""
        self.ended = False
        self.code = 0
        """Of HTTP/2, when it is over; 0 with `ended`: in good order, as a complete answer."""
        self.faults: Counter[str] = Counter()
        self._rest = b""
        self._speaker = b"nobody"
        """How the part of an event behind its number begins while the node stays the same."""

    def take(self, data: bytes) -> None:
        """A piece of the stream."""
        if self._rest:
            data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        self._rest = data[end:]
        if end == 1:
            self._rest = data
            return
        for event in data[:end - 2].split(b"\n\n"):
            at = event.find(b'"n": ')
            if at < 0:
                self.odd(event)
                continue
            number, _, rest = event[at + 5:].partition(b",")
            self.judge(int(number))
        if at >= 0 and not rest.startswith(self._speaker):
            self.node = rest.split(b'"', 4)[3].decode()
            self._speaker = rest[:len(_NODE) + len(self.node) + 1]
            self.moved = time.perf_counter()

    def judge(self, number: int) -> None:
        """The next event must have the next number."""
        if number <= self.events:
            self.faults["event twice"] += 1
            return
        if number > self.events + 1:
            self.faults["event missing"] += number - self.events - 1
        self.reader.events += 1
        self.events = number

    def odd(self, event: bytes) -> None:
        """A comment, or what the edge says itself."""
        if event.startswith(b"event: session-gap") or b"\nevent: session-gap" in event:
            self.faults["gap announced"] += 1


class Reader(asyncio.Protocol):
    """One connection."""

    transport: Any

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.streams: dict[int, Stream] = {}
        self.events = 0
        self.leaving = False
        self.ready = self.loop.create_future()
        self.connection = Connection(Role.CLIENT)
        self.connection.initiate_connection({Setting.INITIAL_WINDOW_SIZE: WINDOW, Setting.ENABLE_PUSH: 0})
        self.connection.set_local_window_size(WINDOW)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.connection.receive_data(data)
        for fact in self.connection.events():
            if isinstance(fact, DataReceived):
                self.streams[fact.stream_id].take(fact.data)
            else:
                self.other(fact)
        self.flush()

    def other(self, fact: Event) -> None:
        match fact:
            case ResponseReceived():
                self.streams[fact.stream_id].status = int(dict(fact.headers)[b":status"])
            case StreamClosed():
                stream = self.streams[fact.stream_id]
                stream.ended, stream.code = True, fact.error_code
            case SettingsReceived() if not self.ready.done():
                self.ready.set_result(None)
            case ConnectionClosed():
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        for stream in self.streams.values():
            if not stream.ended and not self.leaving:
                stream.faults["disconnected"] += 1

    def ask(self, authority: str, scheme: str, path: str, session: str) -> Stream:
        """Begin a stream; `flush` sends it."""
        head = [(":method", "GET"), (":scheme", scheme), (":authority", authority), (":path", path),
                *fields(session, accept="text/event-stream")]
        number = self.connection.send_request([(name.encode(), value.encode()) for name, value in head],
                                              end_stream=True)
        stream = self.streams[number] = Stream(self)
        return stream

    def flush(self) -> None:
        """Send what is to be sent."""
        out = self.connection.data_to_send()
        if out and not self.transport.is_closing():
            self.transport.write(out)

    def leave(self) -> None:
        """Hang up, streams and all."""
        self.leaving = True
        with contextlib.suppress(Exception):
            self.connection.terminate_connection()
            self.flush()
        self.transport.close()


async def connect(url: str, ca: str, number: int) -> list[Reader]:
    """That many connections, ready for streams."""
    loop, where = asyncio.get_running_loop(), urlsplit(url)
    context: ssl.SSLContext | None = None
    if where.scheme == "https":
        context = client_context(ca)
        context.set_alpn_protocols(["h2"])
    readers = []
    async with asyncio.timeout(30):
        for _ in range(number):
            _, reader = await loop.create_connection(Reader, "127.0.0.1", where.port or 443, ssl=context,
                                                     server_hostname=where.hostname if context else None)
            readers.append(reader)
        for reader in readers:
            await reader.ready
    return readers


async def open_streams(readers: list[Reader], url: str, path: str, number: int, within: float,
                       session: str = "") -> list[Stream]:
    """That many streams, spread over the connections, of one session each if there is none for all. Raises
    ConnectionError if one is not answered by 200."""
    where, streams = urlsplit(url), []
    for at in range(number):
        reader = readers[at % len(readers)]
        streams.append(reader.ask(where.netloc, where.scheme, path, session or f"s{at}"))
        reader.flush()
        if at % 50 == 49:
            await asyncio.sleep(0.01)
    deadline = time.monotonic() + within
    while not all(stream.status for stream in streams):
        if time.monotonic() > deadline:
            raise ConnectionError(f"{sum(not one.status for one in streams)} of {number} streams are not answered")
        await asyncio.sleep(0.02)
    bad = Counter(stream.status for stream in streams if stream.status != 200)
    if bad:
        raise ConnectionError(f"streams refused: {dict(bad)}")
    return streams


class Readers:
    """The sets of streams, by name."""

    def __init__(self) -> None:
        self.sets: dict[str, list[Reader]] = {}

    async def do(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question."""
        match question.pop("do"):
            case "open":
                return await self.open(**question)
            case "add":
                return await self.add(**question)
            case "count":
                return self.count(**question)
            case "close":
                return await self.close(**question)
            case other:
                raise ValueError(f"no such thing to do: {other}")

    async def open(self, set: str, url: str, ca: str, connections: int) -> dict[str, Any]:
        readers = self.sets[set] = await connect(url, ca, connections)
        await open_streams(readers, url, "/", connections, within=20, session="all")
        return {"open": connections}

    async def add(self, set: str, url: str, streams: int, path: str, within: float) -> dict[str, Any]:
        await open_streams(self.sets[set], url, path, streams, within)
        return {"open": streams}

    def count(self, set: str) -> dict[str, Any]:
        readers = self.sets[set]
        faults: Counter[str] = Counter()
        for reader in readers:
            for stream in reader.streams.values():
                faults += stream.faults
                faults["ended"] += stream.ended and stream.events > 0
        return {"events": sum(reader.events for reader in readers),
                "faults": {fault: number for fault, number in faults.items() if number}}

    async def close(self, set: str) -> dict[str, Any]:
        readers = self.sets.pop(set, [])
        for reader in readers:
            reader.leave()
        return {"closed": len(readers)}


if __name__ == "__main__":
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(answer_questions(Readers().do))
