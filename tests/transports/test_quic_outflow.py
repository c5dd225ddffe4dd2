"""When the pieces of an HTTP/3 connection are sent: one alone at once, those that follow it closely together."""

import asyncio

import pytest

from sbc.transports.quic.beat import Beat
from sbc.transports.quic.budget import IDLE_DATAGRAMS, Http3Budget
from sbc.transports.quic.outflow import FULL_OCTETS, DatagramOutflow
from sbc.wire.http2.sending import Sending
from tests.support.wait import wait_until

BEAT = 0.05
"""Long enough for a busy machine, in seconds."""


class Spring(Sending):
    """A connection, and its engine: notes what was sent together."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.queued: list[bytes] = []
        self.poured: list[list[bytes]] = []
        self.at: list[float] = []
        self.fault: Exception | None = None
        self.budget = Http3Budget(0.0)
        self.parted = False

    def send(self, stream: int, data: bytes) -> None:
        self.queued.append(data)

    def pour(self) -> None:
        if self.fault is not None:
            raise self.fault
        sent, self.queued = self.queued, []
        self.poured.append(sent)
        self.at.append(self.loop.time())

    def part(self) -> None:
        self.parted = True


def outflow_of(spring: Spring, door: Beat) -> DatagramOutflow:
    return DatagramOutflow(spring, spring, spring.budget, spring.loop, {}, door)  # type: ignore[arg-type]


async def turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_piece_alone_is_sent_in_the_same_turn_of_the_loop() -> None:
    spring = Spring()
    outflow = outflow_of(spring, Beat(spring.loop, BEAT))
    for n in range(3):
        outflow.add(0, b"%d" % n)
        await turn()
        assert spring.poured == [[b"%d" % m] for m in range(n + 1)]
        await asyncio.sleep(2 * BEAT)


async def test_pieces_that_follow_one_closely_are_sent_together() -> None:
    spring = Spring()
    outflow = outflow_of(spring, Beat(spring.loop, BEAT))
    outflow.add(0, b"a")
    await turn()
    outflow.add(0, b"b")
    await turn()
    outflow.add(4, b"c")
    await turn()
    assert spring.poured == [[b"a"]]
    await wait_until(lambda: len(spring.poured) == 2, "the beat")
    assert spring.poured[1] == [b"b", b"c"]
    assert spring.at[1] - spring.at[0] > BEAT / 2


@pytest.mark.parametrize("order", ["touch", "put", "flush"])
async def test_orders_and_messages_wait_for_no_beat_and_take_along_what_does(order: str) -> None:
    spring = Spring()
    outflow = outflow_of(spring, Beat(spring.loop, BEAT))
    outflow.add(0, b"a")
    await turn()
    outflow.add(0, b"b")
    {"touch": outflow.touch, "put": lambda: outflow.put(4, b"m"), "flush": outflow.flush}[order]()
    await turn()
    assert spring.poured == [[b"a"], [b"b", b"m"] if order == "put" else [b"b"]]
    await asyncio.sleep(2 * BEAT)
    assert len(spring.poured) == 2, "the beat has nothing left to send"


async def test_orders_alone_make_no_piece_wait() -> None:
    spring = Spring()
    outflow = outflow_of(spring, Beat(spring.loop, BEAT))
    outflow.touch()
    await turn()
    outflow.add(0, b"a")
    await turn()
    assert spring.poured == [[], [b"a"]]


async def test_what_fills_datagrams_waits_for_no_beat() -> None:
    spring = Spring()
    outflow = outflow_of(spring, Beat(spring.loop, BEAT))
    outflow.add(0, b"a")
    await turn()
    outflow.add(0, bytes(FULL_OCTETS // 2))
    await turn()
    assert len(spring.poured) == 1
    outflow.add(0, bytes(FULL_OCTETS // 2 + 1))
    await turn()
    assert len(spring.poured) == 2 and len(spring.poured[1]) == 2


async def test_one_beat_serves_all_connections_and_one_that_breaks_harms_no_other() -> None:
    door = Beat(asyncio.get_running_loop(), BEAT)
    springs = [Spring() for _ in range(5)]
    faults: list[object] = []
    springs[0].loop.set_exception_handler(lambda _, report: faults.append(report.get("exception")))
    outflows = [outflow_of(spring, door) for spring in springs]
    for outflow in outflows:
        outflow.add(0, b"a")
    await turn()
    for outflow in outflows:
        outflow.add(0, b"b")
    springs[2].fault = RuntimeError("broken")
    await wait_until(lambda: sum(len(spring.poured) for spring in springs) == 9, "all but one are sent")
    await wait_until(lambda: faults == [springs[2].fault], "the fault is told")


async def test_of_a_connection_that_is_gone_nothing_is_sent() -> None:
    spring = Spring()
    outflow = outflow_of(spring, Beat(spring.loop, BEAT))
    outflow.add(0, b"a")
    await turn()
    outflow.add(0, b"b")
    outflow.release()
    await asyncio.sleep(2 * BEAT)
    assert spring.poured == [[b"a"]]


async def test_what_is_sent_earns_the_credit_that_its_acknowledgements_spend() -> None:
    spring = Spring()
    outflow = outflow_of(spring, Beat(spring.loop, BEAT))
    for _ in range(IDLE_DATAGRAMS):
        outflow.add(0, b"event")
        outflow.put(4, b"message")
    for _ in range(3 * IDLE_DATAGRAMS):
        spring.budget.idle(0.0, 0.0)
    assert spring.budget.fault == ""
