"""A node with a trunk, as small as the contract allows (docs/DESIGN.md 5.3 and 5.4): it numbers what it is told.

The state of a session is one number, and it is made durable by a checkpoint after each message. The n-th message of a
session is answered with `n TEXT NODE`, so that a client sees every message lost, repeated or out of order, and which
node spoke.
"""

import argparse
import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

import uvloop
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_connect,
    ws_create_server,
)

from bench.common.asked import answer_questions, say
from bench.common.processes import raise_file_limit

BACKLOG = 256
"""Messages that a standby keeps until it is promoted."""


@dataclass(slots=True)
class Seat:
    """A session on this node."""

    epoch: int
    role: str
    checkpoint: dict[str, Any] | None
    received: int = 0
    sent: int = 0
    delivered: int = 0
    counter: int = 0
    waiting: list[str] = field(default_factory=list)
    trunk: "Trunk | None" = None
    """Over which its edge speaks of it."""

    def resume(self, received: int, sent: int, delivered: int) -> None:
        """Go on as the owner, from the state that the last one made durable."""
        self.received, self.sent, self.delivered = received, sent, delivered
        self.counter = int(self.checkpoint["state"]) if self.checkpoint else 0
        self.role = "owner"


class Leg(WSListener):
    """The leg of one session."""

    def __init__(self, node: "Node", session: str, seat: Seat) -> None:
        self.node = node
        self.session = session
        self.seat = seat
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        match frame.msg_type:
            case WSMsgType.TEXT if self.seat.role == "owner":
                self.take(frame.get_payload_as_ascii_text())
            case WSMsgType.TEXT if len(self.seat.waiting) < BACKLOG:
                self.seat.waiting.append(frame.get_payload_as_ascii_text())
            case WSMsgType.TEXT | WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.node.leave(self)

    def take(self, text: str) -> None:
        """One message: count it, answer it, make it durable."""
        seat = self.seat
        seat.received += 1
        seat.counter += 1
        seat.sent += 1
        # With `output: continue` the client has what was said up to `delivered`; it is not said again.
        if self.transport and (self.node.regenerates or seat.sent > seat.delivered):
            self.transport.send(WSMsgType.TEXT, f"{seat.counter} {text} {self.node.name}")
        self.node.checkpoint(self.session, seat)

    def promote(self, message: dict[str, Any]) -> None:
        """The standby owns the session now; what has come for it meanwhile is served."""
        seat = self.seat
        seat.epoch, seat.checkpoint = message["epoch"], message["checkpoint"]
        seat.resume(message["received"], message["sent"], message["delivered"])
        waiting, seat.waiting = seat.waiting, []
        for text in waiting:
            self.take(text)


class Trunk(WSListener):
    """The trunk to one edge."""

    def __init__(self, node: "Node") -> None:
        self.node = node
        self.transport: WSTransport | None = None
        self.heartbeat = asyncio.get_running_loop().create_future()

    def tell(self, **message: Any) -> None:
        """One message."""
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.send(WSMsgType.TEXT, json.dumps(message))

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.node.register(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()
        if frame.msg_type is WSMsgType.TEXT:
            self.node.hear(self, json.loads(frame.get_payload_as_bytes()))


class Node:
    """The node: its trunks, and the legs of its sessions."""

    def __init__(self, name: str, zone: str, capacity: int, output: str) -> None:
        self.name = name
        self.zone = zone
        self.capacity = capacity
        self.regenerates = output == "regenerate"
        self.url = ""
        self.invited: dict[str, Seat] = {}
        self.legs: dict[str, Leg] = {}
        self.trunks: list[Trunk] = []

    def accept(self, request: WSUpgradeRequest) -> WSListener | None:
        """A leg: only of a session that was invited."""
        headers = request.headers
        session = headers.get("Session-Id", "")
        seat = self.invited.pop(session, None)
        if seat is None:
            return None
        seat.epoch = int(headers["Session-Epoch"])
        if resume := headers.get("Session-Resume"):
            counts = dict(pair.strip().partition("=")[::2] for pair in resume.split(","))
            seat.resume(int(counts["received"]), int(counts["sent"]), int(counts["delivered"]))
        leg = self.legs[session] = Leg(self, session, seat)
        return leg

    def leave(self, leg: Leg) -> None:
        """A leg is closed; another one may have taken its place."""
        if self.legs.get(leg.session) is leg:
            del self.legs[leg.session]

    def checkpoint(self, session: str, seat: Seat) -> None:
        if seat.trunk is not None:
            seat.trunk.tell(type="checkpoint", session=session, epoch=seat.epoch, received=seat.received,
                            sent=seat.sent, state=str(seat.counter))

    # The trunks.

    def register(self, trunk: Trunk) -> None:
        self.trunks.append(trunk)
        trunk.tell(type="register", node=self.name, pool="nodes", url=self.url, zone=self.zone, labels={},
                   capacity=self.capacity, checkpoints=True)

    def hear(self, trunk: Trunk, message: dict[str, Any]) -> None:
        session = message.get("session", "")
        match message["type"]:
            case "registered":
                trunk.heartbeat.set_result(message["heartbeat"])
            case "invite":
                self.invited[session] = Seat(message["epoch"], message["role"], message["checkpoint"], trunk=trunk)
                trunk.tell(type="accept", session=session, epoch=message["epoch"])
            case "promote" if session in self.legs:
                self.legs[session].promote(message)
            case "checkpoint_now" if session in self.legs:
                self.checkpoint(session, self.legs[session].seat)
            case "release":
                self.invited.pop(session, None)

    async def beat(self) -> None:
        """Heartbeats, for as long as the process lives."""
        every = min([await trunk.heartbeat for trunk in self.trunks])
        while True:
            for trunk in self.trunks:
                trunk.tell(type="heartbeat", sessions=len(self.legs), load=len(self.legs) / self.capacity)
            await asyncio.sleep(every)

    async def count(self, _question: dict[str, Any]) -> dict[str, Any]:
        """How many legs are open."""
        roles = [leg.seat.role for leg in self.legs.values()]
        return {"owner": roles.count("owner"), "standby": roles.count("standby")}


async def main(options: argparse.Namespace) -> None:
    node = Node(options.name, options.zone, options.capacity, options.output)
    server = await ws_create_server(node.accept, "127.0.0.1", 0, use_aiofastnet=False, read_buffer_init_size=2048,
                                    backlog=4096)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for port in options.trunk:
        await ws_connect(lambda: Trunk(node), f"ws://127.0.0.1:{port}/trunk", use_aiofastnet=False,
                         extra_headers={"Sec-WebSocket-Protocol": "sbc-trunk.v1"})
    async with asyncio.timeout(5):
        for trunk in node.trunks:
            await asyncio.shield(trunk.heartbeat)
    say({"registered": node.name})
    beating = asyncio.create_task(node.beat())
    await answer_questions(node.count)
    beating.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--zone", required=True)
    parser.add_argument("--trunk", required=True, type=int, action="append", help="an edge's trunk port")
    parser.add_argument("--capacity", type=int, default=5000)
    parser.add_argument("--output", choices=("continue", "regenerate"), default="regenerate")
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(parser.parse_args()))
