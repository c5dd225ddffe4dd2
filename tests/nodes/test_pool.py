"""The pool: which connection a request gets, how many there are, how long they stay, and who waits."""

import asyncio
from collections.abc import Callable
from typing import Any

import h2.events
import pytest

from sbc.model.http import Request
from sbc.model.node import Node
from sbc.nodes import http1, http2, http2_stream, lines, pool
from sbc.nodes.lines import Lines
from sbc.nodes.link import Approach, Dial, Failed, Opened
from sbc.nodes.tunnel import Tunnel
from sbc.wire.link import Link
from tests.nodes.exchanges import Asking, answering, get, node_at, raw_node, read_head
from tests.nodes.h2_node import H2Peer, h2_node, on_request
from tests.support.wait import wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def lines_of(asking: Asking, node: Node) -> Lines:
    return asking.pool._nodes[node.id]


class Desk:
    """A node whose answers are given by the test, in any order."""

    def __init__(self) -> None:
        self.asked: list[asyncio.StreamWriter] = []
        self.gone = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await read_head(reader)
                self.asked.append(writer)
        finally:
            self.gone += 1

    async def busy(self, many: int) -> None:
        await wait_until(lambda: len(self.asked) == many, f"{many} requests")

    def answer(self) -> None:
        """Answer all."""
        for writer in self.asked:
            writer.write(OK)
        self.asked.clear()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Look after the connections often; and the limits that a test wants."""

    def limits(**values: float) -> None:
        monkeypatch.setattr(pool, "SWEEP", 0.02)
        for name, value in values.items():
            for module in (lines, http1, http2, http2_stream):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, value)

    return limits


# Over HTTP/1.1: one exchange at a time on each connection.


async def test_as_many_connections_as_exchanges_and_no_more(asking: Asking) -> None:
    desk = Desk()
    async with raw_node(desk) as raw:
        for _ in range(3):
            many = [asking.ask(raw.node, get()) for _ in range(5)]
            await desk.busy(5)
            desk.answer()
            for heard in many:
                await heard.end()
        assert raw.connections == 5 and asking.spawned == 5


async def test_the_line_that_was_idle_for_the_shortest_time_is_taken_first(asking: Asking) -> None:
    desk = Desk()
    async with raw_node(desk) as raw:
        many = [asking.ask(raw.node, get()) for _ in range(3)]
        await desk.busy(3)
        for number in range(3):
            last = desk.asked[number]
            last.write(OK)
            await wait_until(lambda: lines_of(asking, raw.node).idle_lines == number + 1, "an answer")  # noqa: B023
        desk.asked.clear()
        again = asking.ask(raw.node, get())
        await desk.busy(1)
        assert desk.asked == [last]
        desk.answer()
        await again.end()
        assert all(heard.over for heard in many)


async def test_whoever_waits_gets_the_line_that_is_free_first(asking: Asking, often: Callable[..., None]) -> None:
    often(MOST_LINES=2)
    desk = Desk()
    async with raw_node(desk) as raw:
        many = [asking.ask(raw.node, get()) for _ in range(6)]
        while not all(heard.over for heard in many):
            await wait_until(lambda: desk.asked or all(heard.over for heard in many), "a request")
            desk.answer()
        assert raw.connections == 2
        assert [await heard.status() for heard in many] == [200] * 6


async def test_there_is_a_bound_to_those_who_wait(asking: Asking, often: Callable[..., None]) -> None:
    often(MOST_LINES=1, MOST_WAITING=2, LONGEST_WAIT=0.2)
    desk = Desk()
    async with raw_node(desk) as raw:
        first = asking.ask(raw.node, get())
        await desk.busy(1)
        waiting = [asking.ask(raw.node, get()) for _ in range(3)]
        await waiting[2].end()
        assert not waiting[0].over
        for heard in waiting:
            await heard.end()  # in number, or in time
            assert heard.told == ["failed"] and heard.failure is not None and heard.failure[1:] == (False, True)
        desk.answer()
        assert await first.status() == 200


async def test_one_that_waits_and_is_given_up_waits_no_more(asking: Asking, often: Callable[..., None]) -> None:
    often(MOST_LINES=1)
    desk = Desk()
    async with raw_node(desk) as raw:
        first, second, third = (asking.ask(raw.node, get()) for _ in range(3))
        await desk.busy(1)
        second.stream.abort()
        desk.answer()
        await desk.busy(1)
        desk.answer()
        assert await first.status() == await third.status() == 200
        assert second.told == []


async def test_idle_connections_are_kept_in_number_and_for_a_time(
    asking: Asking, often: Callable[..., None]
) -> None:
    often(MOST_IDLE=2, IDLE=0.3)
    desk = Desk()
    async with raw_node(desk) as raw:
        many = [asking.ask(raw.node, get()) for _ in range(4)]
        await desk.busy(4)
        desk.answer()
        for heard in many:
            await heard.end()
        await wait_until(lambda: desk.gone == 2, "two connections too many")
        assert lines_of(asking, raw.node).idle_lines == 2
        await wait_until(lambda: desk.gone == 4, "the end of the others")
        await wait_until(lambda: not asking.pool._nodes, "nothing is kept of the node")


async def test_a_node_whose_connections_all_break_is_dialled_again(asking: Asking) -> None:
    desk = Desk()
    async with raw_node(desk) as raw:
        many = [asking.ask(raw.node, get()) for _ in range(4)]
        await desk.busy(4)
        for writer in desk.asked:
            writer.transport.abort()
        desk.asked.clear()
        for heard in many:
            await heard.end()
            assert heard.failure is not None and heard.failure[1:] == (True, True)
        again = asking.ask(raw.node, get())
        await desk.busy(1)
        desk.answer()
        assert await again.status() == 200


async def test_a_body_that_the_node_does_not_take_ends_the_exchange(
    asking: Asking, often: Callable[..., None]
) -> None:
    often(UPLOAD_STALL=0.2)

    async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(10)

    async with raw_node(behave) as raw:
        heard = asking.ask(raw.node, get(b"/", b"POST", bodied=True), bytes(16_000_000))
        await heard.end()
        assert heard.failure is not None and "body" in heard.failure[0] and heard.failure[1:] == (True, True)


async def test_an_answer_may_take_its_time(asking: Asking, often: Callable[..., None]) -> None:
    often(UPLOAD_STALL=0.05, IDLE=0.05, LONGEST_WAIT=0.05)
    desk = Desk()
    async with raw_node(desk) as raw:
        heard = asking.ask(raw.node, get(b"/", b"POST", bodied=True, length=3), b"abc")
        await desk.busy(1)
        await asyncio.sleep(0.3)
        desk.answer()
        assert await heard.status() == 200


# Being ready, forgetting, closing.


async def _ready(asking: Asking, node: Node) -> str:
    told: list[str] = []
    asking.pool.ready(node, told.append)
    assert not told
    await wait_until(lambda: told, "an answer")
    return told[0]


async def test_being_ready(asking: Asking) -> None:
    async with raw_node(answering(OK)) as raw:
        assert await _ready(asking, raw.node) == ""
        assert await _ready(asking, raw.node) == ""
        assert await asking.ask(raw.node, get()).status() == 200
        assert raw.connections == 1
    async with h2_node(on_request(lambda peer, stream: peer.answer(stream))) as it:
        other = node_at(it.node.url, "b")
        assert await _ready(asking, other) == ""
        assert await asking.ask(other, get()).status() == 200 and len(it.peers) == 1


async def test_not_being_ready(asking: Asking) -> None:
    async with raw_node(answering()) as raw:
        node = raw.node
    assert "connect" in await _ready(asking, node)
    assert await _ready(asking, node_at("gopher://x")) != ""


async def test_a_node_at_h2c_that_does_not_speak_it(asking: Asking) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        if writer.transport.get_extra_info("peername"):
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with raw_node(behave) as raw:
        node = node_at(raw.node.url.replace("http:", "h2c:"))
        asked = [asking.ask(node, get()) for _ in range(3)]
        assert await _ready(asking, node) != ""
        for heard in asked:
            await heard.end()
            assert heard.told == ["failed"] and heard.failure is not None and heard.failure[1:] == (False, True)
        assert raw.connections < 4


async def test_a_node_that_is_forgotten_ends_what_is_under_way(asking: Asking) -> None:
    desk = Desk()
    async with raw_node(desk) as raw:
        first, second = asking.ask(raw.node, get()), asking.ask(raw.node, get())
        await desk.busy(2)
        desk.asked[0].write(OK)
        await wait_until(lambda: lines_of(asking, raw.node).idle_lines, "an idle connection")
        del desk.asked[0]
        asking.pool.forget(raw.node)
        await wait_until(lambda: desk.gone == 1, "the end of the idle one")
        desk.answer()
        assert await first.status() == await second.status() == 200
        await wait_until(lambda: desk.gone == 2, "the end of the other")
        third = asking.ask(raw.node, get())
        await desk.busy(1)
        desk.answer()
        assert await third.status() == 200 and raw.connections == 3


async def test_a_node_that_is_forgotten_over_http2(asking: Asking) -> None:
    open_: list[tuple[H2Peer, int]] = []
    async with h2_node(on_request(lambda peer, stream: open_.append((peer, stream)))) as it:
        heard = asking.ask(it.node, get())
        await wait_until(lambda: open_, "the request")
        asking.pool.forget(it.node)
        peer, stream = open_[0]
        peer.answer(stream)
        peer.flush()
        assert await heard.status() == 200
        await wait_until(lambda: peer.lost, "the end of the connection")
        assert peer.saw(h2.events.ConnectionTerminated)[0].error_code == 0


async def test_a_node_with_a_new_url_is_another(asking: Asking) -> None:
    async with raw_node(answering(OK, OK)) as old, raw_node(answering(OK)) as new:
        assert await asking.ask(old.node, get()).status() == 200
        assert await asking.ask(new.node, get()).status() == 200
        assert (old.connections, new.connections, new.node.id) == (1, 1, old.node.id)


async def test_an_idle_connection_over_http2_ends_in_good_order(asking: Asking, often: Callable[..., None]) -> None:
    often(IDLE=0.2)
    async with h2_node(on_request(lambda peer, stream: peer.answer(stream))) as it:
        assert await asking.ask(it.node, get()).status() == 200
        await wait_until(lambda: it.peers[0].lost, "the end of the connection")
        assert it.peers[0].saw(h2.events.ConnectionTerminated)[0].error_code == 0


async def test_a_body_without_credit_ends_the_exchange_alone(asking: Asking, often: Callable[..., None]) -> None:
    often(UPLOAD_STALL=0.2)

    @on_request
    def script(peer: H2Peer, stream: int) -> None:
        peer.answer(stream)

    async with h2_node(script) as it:
        assert await _ready(asking, it.node) == ""
        it.peers[0].credit = False
        heard = asking.ask(it.node, get(b"/", b"POST", bodied=True), bytes(100_000))
        await heard.end()
        assert heard.failure is not None and "body" in heard.failure[0]
        assert await asking.ask(it.node, get()).status() == 200 and len(it.peers) == 1


async def test_closing(asking: Asking) -> None:
    desk = Desk()
    async with raw_node(desk) as raw:
        heard = asking.ask(raw.node, get())
        await desk.busy(1)
        asking.pool.close()
        await wait_until(lambda: desk.gone == 1, "the end of the connection")
        assert heard.told == ["sent"]


# WebSocket legs.


class Owner:
    """A LinkOwner."""

    def __init__(self) -> None:
        self.lost = False

    def attend(self, link: Link) -> None:
        raise AssertionError("no relay, no attention")

    def link_lost(self, _link: Link) -> None:
        self.lost = True


DIAL = Dial("", "/chat?x=1", [("Session-Id", "s")], b"host: edge.test\r\nX-Client: c\r\n", ("v1", "v2"), None)


async def _approach(asking: Asking, node: Node, **dial: Any) -> tuple[Approach | Tunnel, list[Opened | Failed], Owner]:
    told: list[Opened | Failed] = []
    owner = Owner()
    wanted = Dial(**{**{name: getattr(DIAL, name) for name in DIAL.__slots__}, "url": node.url, **dial})
    return asking.pool.approach(node, wanted, owner, 3, told.append), told, owner


def _tunnel(peer: H2Peer, event: h2.events.Event) -> None:
    if isinstance(event, h2.events.RequestReceived):
        head = dict(event.headers)
        if head[b":path"] == b"/no":
            peer.h2.send_headers(event.stream_id, [(b":status", b"403")], end_stream=True)
        else:
            chosen = (b"sec-websocket-protocol", head[b":path"][1:3])
            peer.h2.send_headers(event.stream_id, [(b":status", b"200"), chosen])


async def test_a_websocket_on_a_stream(asking: Asking) -> None:
    async with h2_node(_tunnel, enable_connect_protocol=1) as it:
        _, told, owner = await _approach(asking, it.node, target="/v2")
        opened = await wait_until(lambda: told and told[0], "the leg")
        assert isinstance(opened, Opened) and (opened.protocol, opened.deflate, opened.link.tag) == ("v2", False, 3)
        peer = it.peers[0]
        head = peer.heads[1]
        assert head[:5] == [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http"),
                            (b":authority", b"edge.test"), (b":path", b"/v2")]
        assert set(head[5:]) == {(b"x-client", b"c"), (b"session-id", b"s"), (b"sec-websocket-version", b"13"),
                                 (b"sec-websocket-protocol", b"v1, v2")}
        opened.link.write(b"from the edge")
        await wait_until(lambda: peer.bodies[1] == b"from the edge", "the message")
        opened.link.heard = False
        peer.h2.send_data(1, b"\x81\x00")
        peer.flush()
        await wait_until(lambda: opened.link.heard, "the node's message")
        _, second, other = await _approach(asking, it.node, target="/v1")
        await wait_until(lambda: second, "the second leg")
        assert len(it.peers) == 1
        peer.h2.reset_stream(1)
        peer.flush()
        await wait_until(lambda: owner.lost, "the end of the leg")
        peer.transport.abort()
        await wait_until(lambda: other.lost, "the end of the other")


@pytest.mark.parametrize(("target", "able", "status"), [("/no", 1, 403), ("/v3", 1, 0), ("/v1", 0, 0)])
async def test_a_websocket_that_the_node_refuses(asking: Asking, target: str, able: int, status: int) -> None:
    async with h2_node(_tunnel, enable_connect_protocol=able) as it:
        _, told, _ = await _approach(asking, it.node, target=target)
        failed = await wait_until(lambda: told and told[0], "the outcome")
        assert isinstance(failed, Failed) and (failed.status, failed.reached) == (status, True)


async def test_a_websocket_whose_node_is_not_there(asking: Asking) -> None:
    async with h2_node(_tunnel) as it:
        pass
    _, told, _ = await _approach(asking, it.node)
    failed = await wait_until(lambda: told and told[0], "the outcome")
    assert isinstance(failed, Failed) and not failed.reached


async def test_a_websocket_that_nobody_wants_any_more(asking: Asking) -> None:
    async with h2_node(lambda _peer, _event: None, enable_connect_protocol=1) as it:
        approach, told, _ = await _approach(asking, it.node)
        await wait_until(lambda: it.peers and it.peers[0].heads, "the request")
        approach.drop()
        await wait_until(lambda: it.peers[0].saw(h2.events.StreamReset), "a reset")
        early, also_told, _ = await _approach(asking, it.node)
        early.drop()
        heard = asking.ask(it.node, Request(b"GET", b"/", b"a", []))
        await wait_until(lambda: len(it.peers[0].heads) == 2, "a request")
        heard.stream.abort()
        assert told == also_told == []


async def test_a_websocket_over_http1(asking: Asking) -> None:
    async with raw_node(answering(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as raw:
        approach, told, _ = await _approach(asking, raw.node)
        assert isinstance(approach, Approach)
        failed = await wait_until(lambda: told and told[0], "the outcome")
        assert failed == Failed(403, "the node refused the session", True)


