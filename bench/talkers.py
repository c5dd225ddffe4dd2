"""Clients that hold a conversation with bench/nodes.py and notice every message lost, repeated or out of order.

Each says its next number every 200 to 500 ms whether or not the last one was answered, as a person would who does not
know that a node has died; so what is said while nobody serves the session is measured too.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

EVERY = (0.2, 0.5)
CHUNK = 25
"""Connections opened at a time."""


class Talker(WSListener):
    """One client."""

    def __init__(self) -> None:
        self.transport: WSTransport | None = None
        self.said = 0
        self.answered = 0
        self.unanswered: deque[float] = deque()
        """When each message that is not answered yet was sent."""
        self.round_trips: list[float] = []
        self.node = ""
        self.talks = True
        self.faults: Counter[str] = Counter()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.later()

    def later(self) -> None:
        """Say something soon."""
        asyncio.get_running_loop().call_later(random.uniform(*EVERY), self.say)

    def say(self) -> None:
        """The next number."""
        if not self.talks or self.transport is None or self.transport.is_disconnected:
            return
        self.said += 1
        self.unanswered.append(time.perf_counter())
        self.transport.send(WSMsgType.TEXT, str(self.said))
        self.later()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            self.faults[f"closed: {frame.get_close_code()} {frame.get_close_reason()}"] += 1
            transport.disconnect()
        if frame.msg_type is not WSMsgType.TEXT:
            return
        counter, number, self.node = frame.get_payload_as_ascii_text().split()
        self.judge(int(counter), int(number))

    def judge(self, counter: int, number: int) -> None:
        """The answer must be to the next number, and the node must have counted as many."""
        if number <= self.answered:
            self.faults["answered twice"] += 1
            return
        if number > self.answered + 1:
            self.faults["answer missing"] += number - self.answered - 1
        if counter != number:
            self.faults["the node counted wrongly"] += 1
        now = time.perf_counter()
        while self.answered < number and self.unanswered:
            self.answered += 1
            self.round_trips.append(now - self.unanswered.popleft())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self.talks:
            self.faults["disconnected"] += 1


async def gather_talkers(url: str, number: int) -> list[Talker]:
    """Open that many sessions."""
    talkers: list[Talker] = []
    for at in range(0, number, CHUNK):
        opened = await asyncio.gather(*(
            ws_connect(Talker, url, use_aiofastnet=False, read_buffer_init_size=2048, websocket_handshake_timeout=15)
            for _ in range(min(CHUNK, number - at))))
        talkers += [talker for _, talker in opened if isinstance(talker, Talker)]
    return talkers


async def until(met: Callable[[], bool], within: float) -> None:
    """Wait until a condition is met, or that many seconds have passed."""
    deadline = time.monotonic() + within
    while not met() and time.monotonic() < deadline:  # noqa: ASYNC110  a poll costs the talkers nothing, an event does
        await asyncio.sleep(0.02)


async def fall_silent(talkers: list[Talker], within: float) -> None:
    """No more questions; wait for the answers that are still owed, count those that do not come, and hang up."""
    for talker in talkers:
        talker.talks = False
    await until(lambda: not any(talker.unanswered for talker in talkers), within)
    for talker in talkers:
        if talker.unanswered:
            talker.faults["answer missing"] += len(talker.unanswered)
        if talker.transport is not None:
            talker.transport.disconnect()
