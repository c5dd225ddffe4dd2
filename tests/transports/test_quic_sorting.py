"""Whose a datagram is among the processes of an edge, told over the sockets that they inherit."""

import asyncio
import os
import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sbc.model.worker import Worker
from sbc.telemetry.metrics import QuicTally
from sbc.transports.quic.passing import Kind, Parcel, ids_in, ids_out, read, written
from sbc.transports.quic.sorting import Sorting
from sbc.transports.quic.steering import reader, steer, ways
from sbc.transports.quic.udp import Local
from sbc.wire.http3.engine import Address
from tests.support.wait import wait_until

V4: Address = ("192.0.2.1", 4433)
LOCALS: list[Local] = [None, (socket.IPPROTO_IP, 8, bytes(12)), (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, bytes(20))]


@given(st.binary(max_size=1500), st.sampled_from([V4, ("2001:db8::1", 4433, 0, 7)]), st.sampled_from(LOCALS))
def test_a_datagram_goes_over_as_it_was_read(datagram: bytes, source: Address, local: Local) -> None:
    parcel = Parcel(Kind.DATAGRAM, "secure", datagram, source, local)
    assert read(written(parcel)) == parcel


@given(st.binary(max_size=64))
def test_what_makes_no_sense_is_nothing(data: bytes) -> None:
    assert read(data) is None or isinstance(read(data), Parcel)


@given(st.integers(0, 63), st.lists(st.binary(min_size=1, max_size=20)))
def test_ids_go_over(worker: int, ids: list[bytes]) -> None:
    assert ids_in(ids_out(worker, ids)) == (worker, ids)


def test_the_kernel_has_a_datagram_read_by_the_worker_that_its_id_names() -> None:
    group: list[socket.socket] = []
    for _ in range(3):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(group[0].getsockname() if group else ("127.0.0.1", 0))
        sock.setblocking(False)
        group.append(sock)
    steer(group[1], len(group))
    for number in range(60):
        identity = os.urandom(8)
        data = b"\x40" + identity if number % 2 else b"\xc0\0\0\0\1\x08" + identity
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(data, group[0].getsockname())
        assert group[reader(identity, len(group))].recv(100) == data
    for sock in group:
        sock.close()


class Port:
    """A QUIC door with these connections, by their ids."""

    def __init__(self, *ids: bytes) -> None:
        self.ids = list(ids)
        self.got: list[bytes] = []
        self.turns = 0

    @property
    def quic_doors(self) -> "list[Port]":
        return [self]

    def passed(self, datagram: bytes, source: Address, local: Local) -> bool:
        mine = datagram[1:9] in self.ids
        if mine:
            self.got.append(datagram)
        return mine

    def worked(self) -> None:
        self.turns += 1


def crew(*ports: Port) -> list[Sorting]:
    """Workers beside each other."""
    made = []
    for number, (port, (way_in, *out)) in enumerate(zip(ports, ways(len(ports)), strict=True)):
        for sock in (way_in, *out):
            sock.setblocking(False)
        sorting = Sorting(Worker(number, len(ports), ""), {"secure": port}, QuicTally())
        sorting.join(way_in, dict(zip([one for one in range(len(ports)) if one != number], out, strict=True)))
        made.append(sorting)
    return made


def short(identity: bytes) -> bytes:
    return b"\x40" + identity + b"sealed"


def passes(sorting: Sorting, identity: bytes) -> bool:
    return sorting.pass_on("secure", identity, short(identity), V4, None)


async def test_a_worker_that_reads_for_another_is_told_whose_it_is() -> None:
    theirs = b"\x01" + bytes(7)  # steered to worker 1, and a connection of worker 2
    ports = [Port(), Port(), Port(theirs)]
    workers = crew(*ports)
    assert not passes(workers[1], theirs), "nobody has told it yet"
    workers[2].bound("secure", theirs)
    await wait_until(lambda: passes(workers[1], theirs), "it knows")
    await wait_until(lambda: ports[2].got == [short(theirs)] and ports[2].turns, "and passes it on")
    assert not passes(workers[0], theirs), "only who reads it has to know"
    workers[2].unbound("secure", theirs)
    await wait_until(lambda: not passes(workers[1], theirs), "it is over")
    for worker in workers:
        worker.close()


async def test_a_worker_that_begins_anew_is_told_again() -> None:
    theirs = b"\x01" + bytes(7)
    pairs = ways(2)
    port = Port(theirs)
    for sock in (*pairs[0], *pairs[1]):
        sock.setblocking(False)
    first = Sorting(Worker(0, 2, ""), {"secure": port}, QuicTally())
    first.join(pairs[0][0], {1: pairs[0][1]})
    again = Sorting(Worker(1, 2, ""), {"secure": Port()}, QuicTally())
    again.join(pairs[1][0], {0: pairs[1][1]})
    await wait_until(lambda: passes(again, theirs), "it asked, and was told")
    first.close()
    again.close()


async def test_a_successor_keeps_what_begins_and_passes_on_all_else_that_it_does_not_know() -> None:
    ours, half = os.urandom(8), os.urandom(8)
    port = Port(ours)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for sock in (near, far):
        sock.setblocking(False)
    predecessor = Sorting(Worker(0, 1, ""), {"secure": port}, QuicTally())
    successor = Sorting(Worker(0, 1, ""), {"secure": Port()}, QuicTally())
    predecessor.lead(near)
    successor.follow(far, [("secure", half)])
    assert passes(successor, ours)
    await wait_until(lambda: port.got == [short(ours)], "it is where its connection is")
    initial: Any = b"\xc0\0\0\0\1\x08"
    assert not successor.pass_on("secure", ours, initial + ours, V4, None), "a beginning is the successor's"
    assert successor.pass_on("secure", half, initial + half, V4, None), "but for one that has begun before"
    successor.alone()
    assert not passes(successor, ours)
    await asyncio.sleep(0)
    predecessor.close()
