"""The UDP socket of many connections: real datagrams on the loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from sbc.telemetry.metrics import QuicTally
from sbc.transports.quic.udp import DSCP, PORTION, QUEUED, Local, UdpSocket
from sbc.transports.sockets import bind_datagrams
from sbc.wire.http3.engine import Address
from tests.support.wait import PATIENCE, wait_until


class Heard:
    """Implements Receiver."""

    def __init__(self) -> None:
        self.datagrams: list[tuple[bytes, Address, Local]] = []
        self.batches = 0
        self.flowed = 0

    def received(self, datagram: bytes, source: Address, local: Local) -> None:
        self.datagrams.append((datagram, source, local))

    def worked(self) -> None:
        self.batches += 1

    def flowing(self) -> None:
        self.flowed += 1


class Served:
    def __init__(self, sock: socket.socket) -> None:
        self.tally, self.heard = QuicTally(), Heard()
        self.udp = UdpSocket(sock, self.tally)
        self.port = self.udp.name[1]
        self.udp.start(self.heard)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    opened = Served(bind_datagrams("127.0.0.1", 0))
    yield opened
    opened.udp.close()


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


async def take(client: socket.socket, count: int) -> list[bytes]:
    loop = asyncio.get_running_loop()
    return [await asyncio.wait_for(loop.sock_recv(client, 65536), PATIENCE) for _ in range(count)]


async def test_what_came_in_one_turn_is_one_batch(served: Served, client: socket.socket) -> None:
    for number in range(40):
        client.sendto(b"%d" % number, ("127.0.0.1", served.port))
    await wait_until(lambda: len(served.heard.datagrams) == 40, "all of them")
    assert [datagram for datagram, _, _ in served.heard.datagrams] == [b"%d" % number for number in range(40)]
    assert served.heard.batches < 10 and served.tally.received == 40
    assert {(source, local) for _, source, local in served.heard.datagrams} == {(client.getsockname(), None)}


async def test_a_flood_in_runs_leaves_turns_to_others(served: Served, client: socket.socket) -> None:
    segment = (socket.IPPROTO_UDP, 103, (100).to_bytes(2, "little"))
    for _ in range(20):  # all of it is there before any is read
        client.sendmsg([b"x" * 100 * 60], [segment], 0, ("127.0.0.1", served.port))
    most, before = 0, 0
    async with asyncio.timeout(PATIENCE):
        while len(served.heard.datagrams) < 1200:
            await asyncio.sleep(0)
            most, before = max(most, len(served.heard.datagrams) - before), len(served.heard.datagrams)
    assert most < PORTION + 64


async def test_runs_are_told_apart_on_both_ways(served: Served, client: socket.socket) -> None:
    to = client.getsockname()
    sent = [bytes([number]) * 1200 for number in range(70)] + [b"short", b"x" * 1200, b"y" * 1300, b"z" * 1300, b"end"]
    served.udp.send([(datagram, to) for datagram in sent], None)
    assert await take(client, len(sent)) == sent and served.tally.sent == len(sent)
    segment = (socket.IPPROTO_UDP, 103, (1000).to_bytes(2, "little"))
    client.sendmsg([b"a" * 1000 + b"b" * 1000 + b"c" * 10], [segment], 0, ("127.0.0.1", served.port))
    await wait_until(lambda: len(served.heard.datagrams) == 3, "all three")
    assert [datagram for datagram, _, _ in served.heard.datagrams] == [b"a" * 1000, b"b" * 1000, b"c" * 10]


async def test_datagrams_for_several_addresses(served: Served, client: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.setblocking(False)
        one, two = client.getsockname(), other.getsockname()
        served.udp.send([(b"1", one), (b"2", one), (b"3", two), (b"4", one)], None)
        assert await take(client, 3) == [b"1", b"2", b"4"] and await take(other, 1) == [b"3"]


@pytest.mark.parametrize(("wildcard", "asked", "client"), [
    ("0.0.0.0", "127.0.0.7", "127.0.0.1"), ("::", "::1", "::1")])
async def test_on_a_wildcard_the_address_that_was_asked_answers(wildcard: str, asked: str, client: str) -> None:
    served = Served(bind_datagrams(wildcard, 0))
    with socket.socket(socket.AF_INET6 if ":" in asked else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((client, 0))
        sock.connect((asked, served.port))  # from nobody else is anything taken
        sock.setblocking(False)
        sock.send(b"who?")
        await wait_until(lambda: served.heard.datagrams, "the question")
        _, source, local = served.heard.datagrams[0]
        served.udp.send([(b"I", source)], local)
        served.udp.send([(b"I", source), (b"U", source)], local)
        assert await take(sock, 3) == [b"I", b"I", b"U"]
    served.udp.close()


async def test_it_is_marked_and_never_fragmented(served: Served) -> None:
    sock = served.udp._sock
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == DSCP << 2
    assert sock.getsockopt(socket.IPPROTO_IP, 10) == 3  # IP_MTU_DISCOVER is IP_PMTUDISC_PROBE
    served.udp.send([(b"x" * 66_000, ("127.0.0.1", 9)), (b"y", ("255.255.255.255", 9))], None)
    assert served.tally.lost == 2, "what cannot be sent is lost, and no error"


class Full(socket.socket):
    """One whose kernel takes nothing at first."""

    full = True

    def sendto(self, *how: object) -> int:
        if self.full:
            raise BlockingIOError
        return super().sendto(*how)  # type: ignore[call-overload, no-any-return]

    def sendmsg(self, *how: object) -> int:
        if self.full:
            raise BlockingIOError
        return super().sendmsg(*how)  # type: ignore[arg-type]


async def test_what_the_kernel_does_not_take_waits_in_order(client: socket.socket) -> None:
    sock = Full(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    served = Served(sock)
    to = client.getsockname()
    served.udp.send([(b"1", to)], None)
    assert served.udp.blocked and served.heard.flowed == 0
    served.udp.send([(b"2", to), (b"3", to)], None)
    served.udp.send([(b"more", to)] * QUEUED, None)
    assert served.tally.lost == 3, "the queue is bounded"
    await asyncio.sleep(0)
    sock.full = False
    await wait_until(lambda: served.heard.flowed == 1, "it takes some again")
    assert (await take(client, 3)) == [b"1", b"2", b"3"] and not served.udp.blocked
    served.udp.close()


async def test_a_device_that_cannot_send_runs(client: socket.socket) -> None:
    class Plain(socket.socket):
        def sendmsg(self, *how: object) -> int:
            raise OSError(5, "it cannot")
    sock = Plain(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    served = Served(sock)
    for _ in range(2):
        served.udp.send([(b"1", client.getsockname()), (b"2", client.getsockname())], None)
    assert await take(client, 4) == [b"1", b"2"] * 2 and served.tally.lost == 0
    served.udp.close()


def test_a_port_that_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=r"cannot listen on 127.0.0.1:\d+ \(UDP\)"):
            bind_datagrams("127.0.0.1", taken.getsockname()[1])
