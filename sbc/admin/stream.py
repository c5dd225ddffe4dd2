"""`GET /api/v1/events`: what happens on the edge, as server-sent events.

A subscriber that does not read loses events instead of costing memory, and is told how many it lost.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from sbc.model.errors import Refusal

QUEUE = 256
"""Events that may wait for one subscriber."""
SUBSCRIBERS = 64
KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent: proxies and browsers see that the stream lives."""

Listen = Callable[[Callable[[dict[str, Any]], None]], Callable[[], None]]


class Subscriber:
    """One reader of the stream, and the events that wait for it."""

    def __init__(self) -> None:
        self.dropped = 0
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(QUEUE)

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event, or count it as dropped."""
        if self._queue.full():
            self.dropped += 1
        else:
            self._queue.put_nowait(event)

    def end(self) -> None:
        """The stream is to end, whatever still waits."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def next(self) -> bytes | None:
        """What to send next; None at the end."""
        try:
            event = await asyncio.wait_for(self._queue.get(), KEEP_ALIVE)
        except TimeoutError:
            return b": alive\n\n"
        if event is None:
            return None
        notice = b""
        if self.dropped:
            notice = b'event: dropped\ndata: {"dropped":%d}\n\n' % self.dropped
            self.dropped = 0
        # orjson writes line ends inside strings as escapes: an event is always one data line.
        return b"data: " + orjson.dumps(event, default=str) + b"\n\n" + notice


class Stream:
    """All subscribers of one door."""

    def __init__(self, listen: Listen) -> None:
        self._listen = listen
        self._subscribers: set[Subscriber] = set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Serve one subscriber until it goes or the door closes. Raises Refusal 503 if there are too many."""
        if len(self._subscribers) >= SUBSCRIBERS:
            raise Refusal(503, "too_many_subscribers", f"{SUBSCRIBERS} streams are open already", retry_after=5)
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        forget = self._listen(subscriber.hear)
        try:
            return await _serve(request, subscriber)
        finally:
            forget()
            self._subscribers.discard(subscriber)

    def close(self) -> None:
        """End all streams."""
        for subscriber in self._subscribers:
            subscriber.end()


async def _serve(request: web.Request, subscriber: Subscriber) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    try:
        await response.write(b": here\n\n")
        while (chunk := await subscriber.next()) is not None:
            await response.write(chunk)
    except ConnectionError:  # the subscriber has gone: nobody is left to answer
        return response
    return response
