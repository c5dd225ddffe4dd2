"""Who comes in by QUIC, and what strangers are told: real datagrams."""

import asyncio
import os
import socket

import pytest

from sbc.transports.quic.admittance import Bounds
from tests.support.h3_client import H3Client
from tests.support.wait import PATIENCE, wait_until
from tests.transports.desk import Desk
from tests.transports.quic import TRUST, Porch


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(params=["qh3", "aioquic"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Stranger:
    """A bare UDP socket."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((source, 0))
        self._sock.connect(("127.0.0.1", port))
        self._sock.setblocking(False)

    def send(self, datagram: bytes) -> None:
        self._sock.send(datagram)

    async def heard(self) -> bytes:
        """The next datagram."""
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._sock, 65536), PATIENCE)

    def close(self) -> None:
        self._sock.close()


def long_header(version: int, destination: bytes, source: bytes, octets: int) -> bytes:
    """Something like an Initial."""
    head = bytes([0xC3]) + version.to_bytes(4, "big") + bytes([len(destination)]) + destination
    return (head + bytes([len(source)]) + source).ljust(octets, b"\0")


async def test_other_versions_are_told_which_is_spoken(desk: Desk) -> None:
    async with Porch(desk) as porch:
        stranger = Stranger(porch.port)
        stranger.send(long_header(0x0A0A0A0A, b"d" * 8, b"s" * 8, 1199))
        stranger.send(long_header(0x0A0A0A0A, b"d" * 8, b"s" * 8, 1200))
        answer = await stranger.heard()
        assert answer[1:5] == bytes(4) and answer[5:24] == b"\x08" + b"s" * 8 + b"\x08" + b"d" * 8 + answer[23:24]
        assert (1).to_bytes(4, "big") in answer[23:] and len(answer) < 60
        assert porch.tally.negotiations == 1 and porch.tally.dropped == {"short": 1} and desk.here == 0
        stranger.close()


STRANGE = {
    "empty": b"", "unknown": b"\x40" + os.urandom(40), "short": long_header(1, b"d" * 8, b"s" * 8, 1199),
    "malformed": long_header(1, b"d" * 7, b"s" * 8, 1200), "cut": b"\xc3\x00\x00\x00\x01\x14abc",
    "zero bit": b"\x00" * 1200, "handshake": b"\xe3" + long_header(1, b"d" * 8, b"s" * 8, 1200)[1:],
}


async def test_what_makes_no_sense_is_met_with_silence(desk: Desk) -> None:
    async with Porch(desk) as porch:
        stranger = Stranger(porch.port)
        for datagram in STRANGE.values():
            stranger.send(datagram)
        await wait_until(lambda: sum(porch.tally.dropped.values()) == len(STRANGE), "all are dropped")
        assert porch.tally.dropped == {"empty": 1, "unknown": 2, "short": 1, "malformed": 3}
        assert porch.tally.sent == 0 and desk.here == 0
        stranger.close()


@pytest.mark.parametrize("library", ["qh3", "aioquic"])
async def test_with_a_retry_a_client_gets_in_all_the_same(desk: Desk, engine: str, library: str) -> None:
    async with Porch(desk, engine, bounds=Bounds(unproven=0)) as porch:
        client = await porch.client(library)
        assert (await client.get()).complete
        # The first flight of qh3 is two datagrams, and each of them is told.
        assert porch.tally.retries == (2 if library == "qh3" else 1) and porch.tally.handshakes == 1


async def test_a_token_is_good_for_its_own_address_only(desk: Desk) -> None:
    async with Porch(desk, bounds=Bounds(unproven=0)) as porch:
        client = H3Client(trust=TRUST)
        sent: list[bytes] = []
        client.mangle = lambda datagram: (sent.append(datagram), [datagram])[1]
        client.begin(porch.port)
        porch.clients.append(client)
        await wait_until(lambda: client.shaken, "the handshake")
        with_token = sent[1]
        thief = Stranger(porch.port)
        thief.send(with_token)  # for a connection that there is
        client.close()
        await wait_until(lambda: porch.tally.connections == 0, "it is over")
        await wait_until(lambda: not porch.door._table, "it is forgotten")
        thief.send(with_token)
        await wait_until(lambda: porch.tally.dropped["token"] == 1, "it is dropped")
        assert porch.tally.handshakes == 1 and desk.here == 0
        thief.close()


async def test_beyond_so_many_half_open_a_client_has_to_show_its_address(desk: Desk, engine: str) -> None:
    async with Porch(desk, engine, bounds=Bounds(unproven=5, unproven_of_source=5)) as porch:
        silent = [porch.silent() for _ in range(9)]
        await wait_until(lambda: porch.tally.half_open == 5 and porch.tally.retries == 4, "the others are asked")
        honest = await porch.client()
        assert (await honest.get()).complete
        assert porch.tally.half_open == 5 and desk.here == 6
        assert len(silent) == 9


async def test_of_one_source_sooner(desk: Desk) -> None:
    async with Porch(desk, bounds=Bounds(unproven=50, unproven_of_source=2)) as porch:
        for _ in range(4):
            porch.silent()
        await wait_until(lambda: porch.tally.retries == 2, "that source is asked")
        elsewhere = await porch.client(source="127.0.0.2")
        assert (await elsewhere.get()).complete and porch.tally.retries == 2


async def test_more_than_the_bounds_are_not_let_in(desk: Desk) -> None:
    async with Porch(desk, bounds=Bounds(of_source=2, connections=3)) as porch:
        clients = [await porch.client(), await porch.client()]
        late = porch.silent()
        await wait_until(lambda: "connections" in desk.refusals, "it is refused")
        clients.append(await porch.client(source="127.0.0.2"))
        other = porch.silent(source="127.0.0.3")
        await wait_until(lambda: porch.tally.dropped["full"] >= 2 and desk.refusals, "so is one from elsewhere")
        clients[0].close()
        await wait_until(lambda: porch.tally.connections == 2, "one leaves")
        late.drop()
        other.drop()
        clients.append(await porch.client())
        for client in clients[1:]:
            assert (await client.get()).complete


async def test_a_reception_that_takes_nobody(desk: Desk) -> None:
    async with Porch(desk) as porch:
        desk.arrived = lambda: False  # type: ignore[method-assign]
        porch.silent()
        await wait_until(lambda: desk.refusals == ["connections"], "it is refused")
        assert porch.tally.connections == 0


async def test_a_handshake_that_never_ends(desk: Desk, engine: str) -> None:
    async with Porch(desk, engine, handshake=0.3) as porch:
        porch.silent()
        await wait_until(lambda: desk.here == 1, "it is half open")
        await wait_until(lambda: desk.here == 0, "it is given up")
        assert desk.refusals == ["quic_handshake"] and porch.tally.half_open == 0


async def test_nobody_is_sent_more_than_three_times_what_he_sent(desk: Desk, engine: str) -> None:
    async with Porch(desk, engine, handshake=2.0) as porch:
        client = H3Client(trust=TRUST)
        sent: list[int] = []
        client.deaf = True
        client.mangle = lambda datagram: [] if sent else (sent.append(len(datagram)), [datagram])[1]
        client.begin(porch.port)
        porch.clients.append(client)
        await wait_until(lambda: desk.here == 1, "it is half open")
        await wait_until(lambda: desk.here == 0, "it is given up")
        assert 0 < sum(client.received) <= 3 * sum(sent)


async def test_the_same_first_datagram_opens_one_connection(desk: Desk, engine: str) -> None:
    async with Porch(desk, engine) as porch:
        client = H3Client(trust=TRUST)
        client.mangle = lambda datagram: [datagram] * 3
        client.begin(porch.port)
        porch.clients.append(client)
        await wait_until(lambda: client.shaken, "the handshake")
        assert (await client.get()).complete
        assert porch.tally.connections == 1 == desk.here


async def test_nothing_is_left_of_who_came_and_went(desk: Desk, engine: str) -> None:
    async with Porch(desk, engine) as porch:
        for number in range(6):
            client = await porch.client("qh3" if number % 2 else "aioquic")
            await client.get()
            client.close()
        await wait_until(lambda: not porch.door._table and not porch.door._connections, "all are forgotten")
        assert porch.tally.connections == porch.tally.half_open == desk.here == 0
        assert not porch.door._admittance._sources


async def test_a_door_that_retires_lets_nobody_in(desk: Desk) -> None:
    async with Porch(desk) as porch:
        client = await porch.client()
        client.ask(b"/wait")
        await wait_until(lambda: desk.talks, "a request")
        porch.door.retire()
        porch.silent()
        await wait_until(lambda: porch.tally.dropped["retiring"] >= 1, "it is dropped")
        desk.talks[0].answer(b"done")
        await client.end()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            await wait_until(lambda: _free(sock, porch.port), "the port is free behind the last")


def _free(sock: socket.socket, port: int) -> bool:
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("host", "asked"), [("::1", "::1"), ("::", "::1"), ("0.0.0.0", "127.0.0.9")])
async def test_other_addresses(desk: Desk, engine: str, host: str, asked: str) -> None:
    async with Porch(desk, engine, host=host, bounds=Bounds(unproven=0)) as porch:
        client = await porch.client(host=asked)
        assert (await client.get()).complete
        client.rebind()
        client.ping()
        assert (await client.get()).complete
        await wait_until(lambda: porch.tally.moves == 1, "it has moved")
        assert {talk.request.client for talk in desk.talks} == {"::1" if ":" in asked else "127.0.0.1"}
