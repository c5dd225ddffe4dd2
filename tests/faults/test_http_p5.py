"""P5 over HTTP: each is slowed by what it reads and writes itself, nobody by another; and memory is bounded."""

import asyncio
import hashlib

import h2.events
import psutil

from tests.nodes.h2_node import H2Peer, h2_node
from tests.support.asking import Stream, asking, url, web
from tests.support.h2_client import H2Client
from tests.support.scene import Scene
from tests.support.wait import settled, wait_until

MIB = 1024 * 1024


async def test_a_client_that_does_not_read_stops_its_node_and_nobody_else(scene: Scene) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    process = psutil.Process(scene.edge.pid)
    before = process.memory_info().rss
    h2 = await H2Client.connect(scene.edge.port, take=False)
    h2.h2.increment_flow_control_window(2**24)  # of the connection: what is full is the one stream
    slow = await h2.ask(b"/bytes?size=100000000", more=[(b"x-chat", b"slow")])
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.edge.port, limit=1)
    writer.write(b"GET /bytes?size=100000000 HTTP/1.1\r\nHost: edge.test\r\nX-Chat: s1\r\n\r\n")
    quick = await h2.ask(b"/ask", more=[(b"x-chat", b"quick")])
    await h2.until(lambda: h2.answers[quick].complete, "a quick answer")

    def sent() -> int:
        return int(sum(fact["octets"] for fact in node.history("sent")[-1:]))
    await settled(sent, 0.3)
    assert sum(1 for _ in node.history("sent")) * 16_384 < 40_000_000, "the node went on although nobody reads"
    assert process.memory_info().rss - before < 24 * MIB
    async with asking() as http:
        other = Stream.opened(http, "GET", url(scene, "/bytes?size=3000000"), headers={"X-Chat": "o"})
        assert await other.ended() == "whole" and len(other.body) == 3_000_000
    assert not h2.answers[slow].complete
    h2.drop()
    writer.transport.abort()
    del reader


async def test_a_node_that_takes_an_upload_slowly_slows_the_client(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    process = psutil.Process(scene.edge.pid)
    async with asking() as http:
        small = b"y" * 300_000
        answer = Stream.opened(http, "PUT", url(scene, "/digest"), headers={"X-Chat": "c"}, data=small)
        await answer.ended()
        assert answer.json == {"length": len(small), "digest": hashlib.sha256(small).hexdigest()}
        given, before = 0, process.memory_info().rss

        async def flood() -> "asyncio.AsyncIterator[bytes]":  # type: ignore[name-defined]
            nonlocal given
            for _ in range(600):
                given += 65_536
                yield b"x" * 65_536
        slow = Stream.opened(http, "POST", url(scene, "/digest?rate=500000"), headers={"X-Chat": "c"}, data=flood())
        assert await settled(lambda: given, 0.1) < 30_000_000, "the client was let go on"
        assert process.memory_info().rss - before < 16 * MIB
        assert slow.end == ""


class Pouring:
    """What an HTTP/2 node does: to /bytes?N it says so many bytes, as far as the edge takes them; else "ok" at once."""

    def __init__(self) -> None:
        self.left: dict[tuple[H2Peer, int], int] = {}
        self.sent = 0

    def hears(self, peer: H2Peer, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.StreamEnded) and event.stream_id is not None:
            path = dict(peer.heads[event.stream_id])[b":path"]
            if not path.startswith(b"/bytes?"):
                peer.answer(event.stream_id)
                return
            peer.h2.send_headers(event.stream_id, [(b":status", b"200")])
            self.left[peer, event.stream_id] = int(path.partition(b"?")[2])
        for who, stream in list(self.left):
            if who is peer:
                self.pour(peer, stream)

    def pour(self, peer: H2Peer, stream: int) -> None:
        while piece := min(peer.h2.local_flow_control_window(stream), 16_384, self.left[peer, stream]):
            self.left[peer, stream] -= piece
            self.sent += piece
            peer.h2.send_data(stream, bytes(piece), end_stream=not self.left[peer, stream])
        if not self.left[peer, stream]:
            del self.left[peer, stream]


async def test_of_many_streams_on_one_connection_to_a_node_only_the_slow_ones_stop(scene: Scene) -> None:
    node = Pouring()
    async with h2_node(node.hears) as it:
        pools = {"tutors": {"nodes": [{"name": "h2", "url": str(it.node.url)}], "probe": {"path": "/healthz"}}}
        await scene.open(web(scene, protocol="opaque") | {"pools": pools})
        await wait_until(lambda: it.peers, "it is probed")
        process = psutil.Process(scene.edge.pid)
        before = process.memory_info().rss
        slow = await H2Client.connect(scene.edge.port, take=False)
        slow.h2.increment_flow_control_window(2**24)  # of the connection: what is full are the single streams
        stopped = [await slow.ask(b"/bytes?50000000", more=[(b"x-chat", b"s%d" % number)]) for number in range(12)]
        quick = await slow.ask(b"/ask", more=[(b"x-chat", b"q")])
        await slow.until(lambda: slow.answers[quick].complete, "a quick answer between slow ones")
        await settled(lambda: node.sent, 0.3)
        assert 12 * 65_535 <= node.sent < 12 * 2 * MIB
        assert process.memory_info().rss - before < 24 * MIB
        reader = await H2Client.connect(scene.edge.port)
        big = await reader.answer(await reader.ask(b"/bytes?3000000", more=[(b"x-chat", b"r")]))
        assert big.complete and len(big.body) == 3_000_000
        asked = [{dict(head)[b":path"] for head in peer.heads.values()} - {b"/healthz"} for peer in it.peers]
        assert sum(map(bool, asked)) == 1, "all of them on one connection"
        slow.take = True
        for stream in stopped:
            slow.h2.increment_flow_control_window(2**20, stream)
        await slow.flush()
        await slow.until(lambda: all(len(slow.answers[stream].body) >= 2**20 for stream in stopped), "they go on")
        slow.drop()
        reader.drop()
