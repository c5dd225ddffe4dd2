"""Voice-like sessions in a process of their own: each says 320 bytes every 20 ms and hears them again.

    open     {url, n}        open so many sessions
    talk     {seconds}       for so long; the answer has the round trips in ms: median, 99 % and 99.9 %, worst
    close    {}

Sessions begin one after the other within a period, so that they do not speak in chorus.
"""

import asyncio
import contextlib
import time
from collections import deque
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.common.asked import answer_questions
from bench.common.processes import raise_file_limit
from bench.common.tables import percentile

EVERY = 0.02
MESSAGE = b"v" * 320
TICK = 0.001


class Voice(WSListener):
    """One session."""

    def __init__(self) -> None:
        self.transport: WSTransport | None = None
        self.said: deque[float] = deque()
        self.round_trips: list[float] = []
        self.due = 0.0
        self.lost = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def say(self) -> None:
        assert self.transport is not None
        self.said.append(time.perf_counter())
        self.transport.send(WSMsgType.BINARY, MESSAGE)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.BINARY:
            self.round_trips.append(time.perf_counter() - self.said.popleft())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.lost = True


class Choir:
    """All sessions."""

    def __init__(self) -> None:
        self.voices: list[Voice] = []

    async def do(self, question: dict[str, Any]) -> dict[str, Any]:
        match question.pop("do"):
            case "open":
                for _ in range(question["n"]):
                    _, voice = await ws_connect(Voice, question["url"], use_aiofastnet=False,
                                                websocket_handshake_timeout=15)
                    assert isinstance(voice, Voice)
                    self.voices.append(voice)
                return {"open": len(self.voices)}
            case "talk":
                return await self.talk(question["seconds"])
            case "close":
                for voice in self.voices:
                    if voice.transport is not None:
                        voice.transport.disconnect()
                self.voices.clear()
                return {}
            case other:
                raise ValueError(f"no such thing to do: {other}")

    async def talk(self, seconds: float) -> dict[str, Any]:
        now = time.perf_counter()
        end = now + seconds
        for number, voice in enumerate(self.voices):
            voice.round_trips.clear()
            voice.due = now + EVERY * number / len(self.voices)
        while now < end:
            for voice in self.voices:
                if voice.due <= now:
                    voice.due += EVERY
                    voice.say()
            await asyncio.sleep(TICK)
            now = time.perf_counter()
        give_up = now + 10
        while any(voice.said for voice in self.voices) and time.perf_counter() < give_up:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if any(voice.lost or voice.said for voice in self.voices):
            raise ConnectionError("a session was cut off, or not answered")
        all_of_them = [1000 * one for voice in self.voices for one in voice.round_trips]
        return {"p50": percentile(all_of_them, 0.5), "p99": percentile(all_of_them, 0.99),
                "p999": percentile(all_of_them, 0.999), "worst": max(all_of_them), "count": len(all_of_them)}


if __name__ == "__main__":
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(answer_questions(Choir().do))
