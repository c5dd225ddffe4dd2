"""A QUIC door with a scripted reception behind it, and clients: real sockets, any engine."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sbc.telemetry.metrics import QuicTally
from sbc.transports.quic.admittance import Bounds
from sbc.transports.quic.door import QuicDoor
from sbc.transports.quic.keeper import Manners
from sbc.transports.sockets import bind_datagrams
from sbc.transports.watch import Times
from sbc.wire.http3.credentials import load_credentials
from tests.support.h3_client import H3Client
from tests.support.wait import wait_until
from tests.transports.desk import Desk
from tests.transports.door import issued
from tests.wire.tls import AUTHORITY

BRIEF = Times(look=0.05, ping=0.3, idle=1.0, stall=0.6, parting=0.1)
CALM = Times()
TRUST = AUTHORITY.cert_pem.bytes()


class Porch:
    """The door and its clients, for the time of an `async with`."""

    def __init__(self, desk: Desk, engine: str = "qh3", *, bounds: Bounds | None = None, host: str = "127.0.0.1",
                 times: Times = CALM, websocket: bool = True, handshake: float = 10.0) -> None:
        self.desk, self.engine, self.host = desk, engine, host
        self.bounds = bounds or Bounds()
        self.manners = Manners("test", engine, websocket, times, handshake)
        self.tally = QuicTally()
        self.clients: list[H3Client] = []
        self.port = 0
        self.door: QuicDoor

    async def __aenter__(self) -> "Porch":
        with TemporaryDirectory() as directory:
            credentials = load_credentials(self.engine, [issued(Path(directory))])
        self.door = QuicDoor(self.desk, self.manners, credentials, self.bounds, self.tally)
        self.port = self.door.start(bind_datagrams(self.host, 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self.clients:
            client.drop()
        self.door.close()
        await wait_until(lambda: self.desk.here == 0, "every connection is counted off")
        assert self.door.open == self.tally.connections == self.tally.half_open == 0

    async def client(self, library: str = "aioquic", **how: Any) -> H3Client:
        """With its handshake done."""
        client = await H3Client.connect(self.port, library, **{"trust": TRUST, **how})
        self.clients.append(client)
        return client

    def silent(self, source: str | None = None) -> H3Client:
        """One that has sent its first flight, and hears nothing."""
        client = H3Client(trust=TRUST)
        client.deaf = True
        client.begin(self.port, source=source)
        self.clients.append(client)
        return client
