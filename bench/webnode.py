"""What the node of the HTTP benches says (bench/web.py), whatever it is spoken to in."""

import asyncio
import contextlib
import re
import time
from collections import defaultdict
from typing import Any, Protocol

BODY = b'{"object": "answer", "text": "%s"}' % (b"0123456789" * 10)[:68]
FIELDS = [(b"content-type", b"application/json"), (b"date", b"Sun, 22 Nov 2026 05:59:54 GMT"), (b"server", b"bench"),
          (b"cache-control", b"no-store")]
EVENTS_FIELDS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
TICK = 0.001
"""How often events are sent, in seconds."""
TEXT = (b"0123456789" * 10)[:64]

_SET = re.compile(rb"set=([a-z0-9-]+)")


class Wire(Protocol):
    """Where a stream's events go."""

    def event(self, stream: "Stream", event: bytes) -> None:
        """One event."""


class Stream:
    """One stream of events."""

    __slots__ = ("ids", "number", "sent", "set", "slow", "wire")

    def __init__(self, wire: Wire, number: int, path: bytes, last_id: int) -> None:
        self.wire = wire
        self.number = number
        """Of HTTP/2."""
        found = _SET.search(path)
        self.set = found[1].decode() if found else ""
        self.ids = b"ids=1" in path
        self.sent = last_id
        self.slow = False


class Node:
    """All streams of the node, by the name of their set; what it has served. One set talks at a time."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()
        self.requests = self.events = 0
        self.sets: defaultdict[str, list[Stream]] = defaultdict(list)
        self.talking = ""
        self.rate = 0.0
        """Events a second on each stream of that set."""
        self._due = 0.0
        self._at = 0
        self._ticked = time.perf_counter()

    def join(self, stream: Stream) -> None:
        """A stream begins; if its set talks, its first event is there at once."""
        self.sets[stream.set].append(stream)
        stream.wire.event(stream, b":\n\n")  # a comment: nginx keeps the head back until something follows
        if self.rate and self.talking == stream.set:
            self.say(stream)

    def leave(self, stream: Stream) -> None:
        """Its reader is gone."""
        with contextlib.suppress(ValueError):
            self.sets[stream.set].remove(stream)

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
        """What is due by now, stream after stream, so that it is spread evenly over time."""
        now = time.perf_counter()
        elapsed, self._ticked = now - self._ticked, now
        streams = self.sets[self.talking]
        self._due += elapsed * self.rate * len(streams)
        for _ in range(min(int(self._due), len(streams))):
            self._at = (self._at + 1) % len(streams)
            self.say(streams[self._at])
        self._due -= int(self._due)
        asyncio.get_running_loop().call_later(TICK, self.tick)

    async def do(self, question: dict[str, Any]) -> dict[str, Any]:
        """{talk, rate}: let a set talk from now on; always: what was served so far."""
        self.talking, self.rate = question.get("talk", self.talking), question.get("rate", self.rate)
        return {"requests": self.requests, "events": self.events, "streams": sum(map(len, self.sets.values()))}
