"""A node with a trunk as a process, written from docs/DESIGN.md section 5.4 and from nothing in sbc/.

    python -m tests.support.node_trunk --name a --port 9001 --edge ws://127.0.0.1:9071/trunk --history FILE

Knobs for misbehaviour: see `options`. SIGUSR1 sends `drain`, SIGUSR2 breaks the trunk (it dials again).
"""

import argparse
import asyncio
import contextlib
import json
import signal
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.conversation import Conversation
from tests.support.history import History

Message = dict[str, Any]


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--edge", required=True)
    parser.add_argument("--history", required=True)
    parser.add_argument("--pool", default="tutors")
    parser.add_argument("--zone", default="")
    parser.add_argument("--capacity", type=int, default=2000)
    parser.add_argument("--secret", default=None)
    parser.add_argument("--checkpoint", choices=["off", "never", "answer", "message"], default="answer",
                        help="off: registers without; never: only when asked; answer: after each answer; "
                             "message: after each message, in the middle of answers too")
    parser.add_argument("--invite", choices=["accept", "decline", "hang", "garbage"], default="accept")
    parser.add_argument("--lie", choices=["ahead", "stale", "garbage"], default=None,
                        help="sent after each honest checkpoint: counts beyond what was exchanged; an older epoch; "
                             "messages that are no messages")
    parser.add_argument("--thinks", type=float, default=0.0, help="for so many seconds before it answers")
    parser.add_argument("--quit-after", type=int, default=0, help="send bye after so many client messages")
    return parser.parse_args()


class Seat:
    """A session on this node."""

    def __init__(self, invite: Message) -> None:
        self.id: str = invite["session"]
        self.epoch: int = invite["epoch"]
        self.role: str = invite["role"]
        self.regenerate = invite["manifest"].get("migration", {}).get("output") == "regenerate"
        self.conversation = Conversation()
        self.quiet_until = 0
        """Node messages up to this one are thought again but not said again."""
        self.wake = asyncio.Event()
        self.owner = asyncio.Event()
        self.early: list[str] = []
        """Client messages that came before the session was ours: the trunk and the leg race."""
        self.kept = invite.get("checkpoint")
        if self.role == "owner":
            self.owner.set()

    def resume(self, received: int, sent: int, delivered: int) -> None:
        """Go on from the checkpoint, and say nothing that the client already has."""
        state = self.kept["state"] if self.kept else None
        self.conversation = Conversation.resumed(received, sent, state)
        self.quiet_until = sent if self.regenerate else delivered

    def attend(self) -> None:
        """Hear what has come, once the session is ours."""
        if self.owner.is_set():
            for text in self.early:
                self.conversation.hear(text)
            self.early.clear()
            self.wake.set()


class Node:
    def __init__(self, chosen: argparse.Namespace) -> None:
        self.options = chosen
        self.history = History(chosen.history)
        self.seats: dict[str, Seat] = {}
        self.trunk: aiohttp.ClientWebSocketResponse | None = None
        self.chores: set[asyncio.Task[None]] = set()

    def chore(self, work: Any) -> None:
        """Do it beside everything else."""
        task = asyncio.create_task(work)
        self.chores.add(task)
        task.add_done_callback(self.chores.discard)

    async def tell(self, kind: str, **fields: Any) -> None:
        """One trunk message; lost if the trunk is."""
        if self.trunk is not None and not self.trunk.closed:
            with contextlib.suppress(ConnectionError):
                await self.trunk.send_str(json.dumps({"type": kind, **fields}))

    async def checkpoint(self, seat: Seat) -> None:
        """Report what is durable, and the lie if there is one to tell."""
        talk = seat.conversation
        count = {"received": talk.received, "sent": talk.sent}
        await self.tell("checkpoint", session=seat.id, epoch=seat.epoch, **count, state=talk.state())
        false = {"session": seat.id, "epoch": seat.epoch, "state": '{"total": -1000000, "queue": []}'}
        match self.options.lie:
            case "ahead":
                await self.tell("checkpoint", **false, received=talk.received + 50, sent=talk.sent + 50)
            case "stale":
                await self.tell("checkpoint", **{**false, "epoch": seat.epoch - 1}, **count)
            case "garbage" if self.trunk is not None:
                for text in ("[]", "{", '{"type": 5}', '{"type": "checkpoint"}', '{"type": "no-such-type"}',
                             '{"type": "checkpoint", "session": 1, "epoch": "x", "received": -1, "sent": 1e99}'):
                    with contextlib.suppress(ConnectionError):
                        await self.trunk.send_str(text)

    async def answer(self, seat: Seat, leg: web.WebSocketResponse) -> None:
        """Say whatever there is to say, once the session is ours."""
        await seat.owner.wait()
        talk = seat.conversation
        while not leg.closed:
            said = talk.answer(node=self.options.name, epoch=seat.epoch)
            if said is None:
                seat.wake.clear()
                await seat.wake.wait()
                continue
            text, pause = said
            if talk.sent > seat.quiet_until:
                await asyncio.sleep(self.options.thinks)
                try:
                    await leg.send_str(text)
                except ConnectionError:
                    return
                self.history.write("sent", session=seat.id, epoch=seat.epoch, m=talk.sent)
                await asyncio.sleep(pause)
            if self.options.checkpoint == "message" or (self.options.checkpoint == "answer" and talk.idle):
                await self.checkpoint(seat)

    async def leg(self, request: web.Request) -> web.WebSocketResponse:
        """A node leg: opened by the edge after an accepted invitation."""
        key, epoch = request.headers["Session-Id"], int(request.headers["Session-Epoch"])
        self.history.write("open", session=key, epoch=epoch, headers=dict(request.headers))
        seat = self.seats.get(key)
        if seat is None or seat.epoch != epoch:
            raise web.HTTPConflict(text="never invited to that\n")
        if "Session-Resume" in request.headers and seat.role == "owner":
            told = dict(part.strip().split("=") for part in request.headers["Session-Resume"].split(","))
            seat.resume(int(told["received"]), int(told["sent"]), int(told["delivered"]))
            if seat.quiet_until > seat.conversation.sent:
                await self.tell("journal", session=key, epoch=epoch, after=seat.conversation.sent)
        leg = web.WebSocketResponse(compress=False, max_msg_size=0)
        await leg.prepare(request)
        self.chore(self.answer(seat, leg))
        async for message in leg:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            number = json.loads(message.data)["n"]
            self.history.write("heard", session=key, epoch=seat.epoch, role=seat.role, n=number)
            seat.early.append(message.data)
            seat.attend()
            if self.options.quit_after and seat.conversation.received >= self.options.quit_after:
                await self.tell("bye", session=key, epoch=seat.epoch, result="done")
        self.history.write("closed", session=key, epoch=epoch, code=leg.close_code)
        seat.wake.set()
        return leg

    async def told(self, message: Message) -> None:
        """One message of the edge."""
        kind, key = message["type"], message.get("session", "")
        self.history.write(kind, **{name: value for name, value in message.items() if name not in ("type", "t")})
        seat = self.seats.get(key)
        match kind:
            case "registered":
                self.chore(self.beat(float(message["heartbeat"])))
            case "invite":
                await self.invited(message)
            case "promote" if seat is not None:
                seat.epoch, seat.role, seat.kept = message["epoch"], "owner", message["checkpoint"]
                seat.resume(message["received"], message["sent"], message["delivered"])
                seat.owner.set()
                seat.attend()
            case "checkpoint_now" if seat is not None and self.options.checkpoint != "off":
                await self.checkpoint(seat)
            case "release" if seat is not None and seat.epoch <= message["epoch"]:
                del self.seats[key]

    async def invited(self, message: Message) -> None:
        """Answer an invitation as told on the command line."""
        key, epoch = message["session"], message["epoch"]
        match self.options.invite:
            case "accept":
                self.seats[key] = Seat(message)
                await self.tell("accept", session=key, epoch=epoch)
            case "decline":
                await self.tell("decline", session=key, epoch=epoch, reason="full", retry_after=1)
            case "garbage":
                await self.tell("accept", session=key, epoch="three")
            case "hang":
                pass

    async def beat(self, every: float) -> None:
        """Heartbeats for as long as this trunk stands."""
        trunk = self.trunk
        while trunk is not None and trunk is self.trunk and not trunk.closed:
            await self.tell("heartbeat", sessions=len(self.seats), load=0.1)
            await asyncio.sleep(every)

    async def dial(self) -> None:
        """Keep a trunk to the edge, for good."""
        chosen = self.options
        headers = {"Authorization": f"Bearer {chosen.secret}"} if chosen.secret else {}
        async with aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.ws_connect(chosen.edge, protocols=["sbc-trunk.v1"], headers=headers) as trunk:
                        self.trunk = trunk
                        await self.tell("register", node=chosen.name, pool=chosen.pool, zone=chosen.zone, labels={},
                                        url=f"http://127.0.0.1:{chosen.port}", capacity=chosen.capacity,
                                        checkpoints=chosen.checkpoint != "off")
                        async for message in trunk:
                            if message.type is aiohttp.WSMsgType.TEXT:
                                await self.told(json.loads(message.data))
                    self.history.write("trunk-closed", code=trunk.close_code)
                except aiohttp.ClientError as fault:
                    self.history.write("trunk-refused", why=str(fault))
                await asyncio.sleep(0.1)

    async def run(self) -> None:
        """Serve until killed."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: self.chore(self.tell("drain", deadline=5)))
        loop.add_signal_handler(signal.SIGUSR2, lambda: self.trunk and self.chore(self.trunk.close()))
        app = web.Application()
        app.router.add_get("/healthz", lambda _: web.Response(text="well\n"))  # type: ignore[arg-type,return-value]
        app.router.add_get("/{tail:.*}", self.leg)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.options.port).start()
        self.history.write("serving")
        await self.dial()


if __name__ == "__main__":
    asyncio.run(Node(options()).run())
