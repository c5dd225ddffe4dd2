"""Two engines back to back, and owners that write down what they are told."""

from dataclasses import dataclass, field

from sbc.model.http import Fields
from sbc.wire.http2.engine import Engine, Role, Terms
from sbc.wire.http2.factory import make_engine

REQUEST: Fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"edge.test"), (b":path", b"/a?b")]

DEFAULT = Terms()


@dataclass
class Notes:
    """An EngineOwner that takes everything down; `take`: consumes what it is given at once."""

    take: bool = True
    engine: Engine | None = None
    heads: dict[int, Fields] = field(default_factory=dict)
    interims: dict[int, list[Fields]] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    complete: dict[int, Fields] = field(default_factory=dict)
    over: dict[int, tuple[int, bool]] = field(default_factory=dict)
    pressure: list[tuple[str, int]] = field(default_factory=list)
    goaways: list[tuple[int, int]] = field(default_factory=list)
    greetings: int = 0
    pongs: int = 0
    end: tuple[int, str] | None = None

    def head(self, stream: int, fields: Fields, end: bool) -> None:
        assert stream not in self.heads
        self.heads[stream] = fields
        if end:
            self.complete[stream] = []

    def interim(self, stream: int, fields: Fields) -> None:
        self.interims.setdefault(stream, []).append(fields)

    def data(self, stream: int, data: bytes, end: bool) -> None:
        assert isinstance(data, bytes) and stream not in self.complete
        self.bodies[stream] = self.bodies.get(stream, b"") + data
        if self.take:
            assert self.engine is not None
            self.engine.consume(stream, len(data))
        if end:
            self.complete[stream] = []

    def trailers(self, stream: int, fields: Fields) -> None:
        assert stream not in self.complete
        self.complete[stream] = fields

    def closed(self, stream: int, code: int, remote: bool) -> None:
        assert stream not in self.over
        self.over[stream] = (code, remote)

    def slow(self, stream: int) -> None:
        self.pressure.append(("slow", stream))

    def ready(self, stream: int) -> None:
        self.pressure.append(("ready", stream))

    def settings(self) -> None:
        self.greetings += 1

    def goaway(self, last: int, code: int) -> None:
        self.goaways.append((last, code))

    def pong(self) -> None:
        self.pongs += 1

    def ended(self, code: int, reason: str) -> None:
        assert self.end is None
        self.end = (code, reason)


class Pair:
    """A client and a server engine, each with its notes; `exchange` carries bytes until there are none."""

    def __init__(self, client: str, server: str, server_terms: Terms = DEFAULT) -> None:
        self.asked, self.served = Notes(), Notes()
        self.client = make_engine(client, Role.CLIENT, self.asked, DEFAULT)
        self.server = make_engine(server, Role.SERVER, self.served, server_terms)
        self.asked.engine, self.served.engine = self.client, self.server
        self.exchange()

    def exchange(self, piece: int = 1 << 20) -> None:
        """Carry all bytes, `piece` at a time."""
        while True:
            to_server, to_client = self.client.outgoing(), self.server.outgoing()
            if not to_server and not to_client:
                return
            for at in range(0, len(to_server), piece):
                self.server.receive(to_server[at:at + piece])
            for at in range(0, len(to_client), piece):
                self.client.receive(to_client[at:at + piece])

    def ask(self, *, end: bool = True, fields: Fields = REQUEST) -> int:
        """A request that has arrived: its stream."""
        stream = self.client.open(fields, end=end)
        self.exchange()
        return stream
