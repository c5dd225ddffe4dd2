"""What the node of the HTTP benches says (bench/web.py), whatever it is spoken to in."""

import asyncio
import contextlib
import re
import time
from typing import Any, Protocol

BODY = b'{"object": "answer", "text": "%s"}' % (b"0123456789" * 10)[:68]
FIELDS = [(b"content-type", b"application/json"), (b"date", b"Sun, 22 Nov 2026 05:59:54 GMT"), (b"server", b"bench"),
          (b"cache-control", b"no-store")]
EVENTS_FIELDS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
TICK = 0.001
"""How often events are sent, in seconds."""
TEXT = (b"0123456789" * 10)[:64]

_RATE = re.compile(rb"rate=([0-9.]+)")


class Wire(Protocol):
    """Where a stream's events go."""

    def event(self, stream: "Stream", event: bytes) -> None:
        """One event."""


class Stream:
    """One stream of events."""

    __slots__ = ("ids", "number", "rate", "sent", "slow", "wire")

    def __init__(self, wire: Wire, number: int, path: bytes, last_id: int) -> None:
        self.wire = wire
        self.number = number
        """Of HTTP/2."""
        rate = _RATE.search(path)
        self.rate = float(rate[1]) if rate else 1.0
        self.ids = b"ids=1" in path
        self.sent = last_id
        self.slow = False


class Node:
    """All streams of the node, in turn; what it has served."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()
        self.requests = self.events = 0
        self.streams: list[Stream] = []
        self._due = 0.0
        self._at = 0
        self._ticked = time.perf_counter()

    def join(self, stream: Stream) -> None:
        """A stream begins: its first event is there at once."""
        self.streams.append(stream)
        if stream.rate:
            self.say(stream)

    def leave(self, stream: Stream) -> None:
        """Its reader is gone."""
        with contextlib.suppress(ValueError):
            self.streams.remove(stream)

    def say(self, stream: Stream) -> None:
        """Its next event."""
        if stream.slow:
            return
        stream.sent += 1
        self.events += 1
        identity = b"id: %d\n" % stream.sent if stream.ids else b""
        data = b'{"n": %d, "node": "%s", "text": "%s"}' % (stream.sent, self.name, TEXT)
        stream.wire.event(stream, b"%sdata: %s\n\n" % (identity, data))

    def tick(self) -> None:
        """What is due by now, stream after stream, so that it is spread evenly over time. All have the same rate."""
        now = time.perf_counter()
        elapsed, self._ticked = now - self._ticked, now
        if self.streams:
            self._due += elapsed * self.streams[0].rate * len(self.streams)
            for _ in range(min(int(self._due), len(self.streams))):
                self._at = (self._at + 1) % len(self.streams)
                self.say(self.streams[self._at])
            self._due -= int(self._due)
        asyncio.get_running_loop().call_later(TICK, self.tick)

    async def count(self, _question: dict[str, Any]) -> dict[str, Any]:
        """What was served so far."""
        return {"requests": self.requests, "events": self.events, "streams": len(self.streams)}
