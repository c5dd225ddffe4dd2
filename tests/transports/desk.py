"""A Reception that answers requests by a script for each path, and a door of HTTP/2 in front of it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, Response
from sbc.model.streams import ClientStream
from sbc.transports.http2 import Http2Connection
from sbc.transports.watch import Times
from sbc.wire.link import Link
from tests.support.wait import wait_until

BRIEF = Times(look=0.05, ping=0.3, idle=1.0, stall=0.6, parting=0.1)


class Talk:
    """One request: its stream, what came of it, and an Asker that writes everything down."""

    def __init__(self, stream: ClientStream, request: Request) -> None:
        self.stream = stream
        self.request = request
        self.received = b""
        self.trailers: Fields | None = None
        self.gone = False
        self.pressure: list[str] = []
        self.on_body: Callable[[bytes], None] = lambda data: None
        self.on_end: Callable[[], None] = lambda: None

    def body(self, data: bytes) -> None:
        assert not self.gone and self.trailers is None
        self.received += data
        self.on_body(data)

    def body_ended(self, trailers: Fields) -> None:
        assert self.request.bodied and not self.gone and self.trailers is None
        self.trailers = trailers
        self.on_end()

    def client_gone(self) -> None:
        assert not self.gone
        self.gone = True

    def client_slow(self) -> None:
        self.pressure.append("slow")

    def client_ready(self) -> None:
        self.pressure.append("ready")

    def answer(self, body: bytes, status: int = 200, trailers: Fields | None = None) -> None:
        self.stream.respond(Response(status, [(b"content-type", b"text/plain")]), end=False)
        self.stream.send(body)
        self.stream.finish(trailers or [])


class Desk:
    """Implements Reception. `/echo` answers with the body, `/hello` at once; all else waits for the test."""

    def __init__(self, limits: tuple[int, int, float] = (32 * 1024, 100, 1.0)) -> None:
        self._limits = limits
        self.here = 0
        self.talks: list[Talk] = []
        self.refusals: list[str] = []
        self.abuses: Counter[str] = Counter()
        self.doors: list[Any] = []
        self.script: Callable[[Talk], None] = lambda talk: None

    def arrived(self) -> bool:
        self.here += 1
        return True

    def departed(self) -> None:
        self.here -= 1
        assert self.here >= 0

    def limits(self) -> tuple[int, int, float]:
        return self._limits

    def refused(self, refusal: Refusal, hello: object) -> None:
        self.refusals.append(refusal.code)

    def abused(self, kind: str, client: str, listener: str) -> None:
        self.abuses[kind] += 1

    wary = False

    def bars(self, client: str, listener: str, *, proven: bool = True) -> bool:
        return False

    def greet(self, doorstep: Any, hello: Any, octets: int) -> None:
        if hello.path == "/nowhere":
            raise Refusal(404, "no_route", "nothing is served here")
        self.doors.append((doorstep, hello))

    async def admit(self) -> tuple[Link, "Owner"]:
        """Let the first WebSocket in whose hello is there, or comes."""
        await wait_until(lambda: self.doors, "the hello")
        owner = Owner()
        link, early = self.doors[0][0].admit([("Sec-WebSocket-Protocol", "b"), ("Session-Id", "t")], owner)
        assert early == b""
        return link, owner

    def request(self, stream: ClientStream, request: Request, octets: int) -> Talk:
        assert octets > 0
        talk = Talk(stream, request)
        self.talks.append(talk)
        match request.path:
            case b"/hello":
                talk.answer(b"hello")
            case b"/echo":
                stream.respond(Response(200), end=False)
                talk.on_body = stream.send
                talk.on_end = lambda: stream.finish(talk.trailers or [])
                if not request.bodied:
                    stream.finish([])
            case _:
                self.script(talk)
        return talk


class Owner:
    """A LinkOwner: `lost` when the link is."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def attend(self, link: Link) -> None:
        pass

    def link_lost(self, link: Link) -> None:
        self.lost.set()


class Catcher(asyncio.Protocol):
    """In the place of a link: what comes is written down."""

    def __init__(self, heard: list[bytes]) -> None:
        self.data_received = heard.append  # type: ignore[method-assign]


class Door:
    """A listening socket whose connections are Http2Connections."""

    def __init__(self, desk: Desk, engine: str, websocket: bool = True, times: Times = BRIEF) -> None:
        self.desk = desk
        self.engine = engine
        self.websocket = websocket
        self.times = times
        self.connections: list[Http2Connection] = []
        self.port = 0

    async def __aenter__(self) -> "Door":
        self._server = await asyncio.get_running_loop().create_server(self._enter, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()

    def _enter(self) -> Http2Connection:
        self.desk.arrived()
        connection = Http2Connection(self.desk, "test", False, "127.0.0.1", self.websocket, self.engine, self.times)
        self.connections.append(connection)
        return connection
