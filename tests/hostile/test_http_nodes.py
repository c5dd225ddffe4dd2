"""Hostile nodes over HTTP: what they answer never reaches a client as a sound answer, nor as another client's."""

import asyncio
import contextlib

import psutil

from tests.support.asking import web
from tests.support.h2_client import Answer, H2Client
from tests.support.raw import RawClient
from tests.support.scene import Scene
from tests.support.wait import PATIENCE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SPLIT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsmuggled!"
MIB = 1024 * 1024

IMPROPER = {
    "no HTTP": b"SSH-2.0-x\r\n" * 4,
    "noise": bytes(range(256)) * 8,
    "nothing at all": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SPLIT,
    "a chunk that is longer than it says": CHUNKED + b"2\r\nok!!\r\n0\r\n\r\n" + SPLIT,
    "chunks in bare LF": CHUNKED + b"2\nok\n0\n\n" + SPLIT,
    "a chunk in C's hex": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "a chunk beyond all sizes": CHUNKED + b"ffffffffffffffffff\r\nok",
    "chunks that never end": CHUNKED + b"2\r\nok\r\n",
    "endless fields": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
    "an endless field": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    "endless trailers": CHUNKED + b"2\r\nok\r\n0\r\n" + b"X: y\r\n" * 50_000,
    "early hints without end": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 5_000 + OK,
    "a switch that nobody asked for":
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + SPLIT,
    "a folded field": b"HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
    "a split field": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
}


class Crooked:
    """A node that answers probes and honest requests properly, and all else with `says`; then it hangs up."""

    def __init__(self) -> None:
        self.says = b""
        self.honest = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while b" /bad" not in (head := await reader.readuntil(b"\r\n\r\n")):
                self.honest += b" /honest" in head
                writer.write(OK)
            writer.write(self.says)
            await writer.drain()
            if b"/bad/twice" not in head:
                writer.close()
            await reader.read(-1)


def is_honest(answer: Answer) -> bool:
    """Whether a client can see that there is no answer, or no whole one."""
    if answer.status == 502:
        return answer.fields.get(b"session-outcome") == b"unknown"
    return answer.status == 200 and answer.reset is not None and not answer.complete


async def test_improper_answers_are_never_taken_for_sound_ones(scene: Scene) -> None:
    node = Crooked()
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await scene.open(web(scene, protocol="opaque") | {"pools": {"tutors": {"nodes": [{"name": "x", "url": url}]}}})
        before = psutil.Process(scene.edge.pid).memory_info().rss
        h2 = await H2Client.connect(scene.edge.port)
        for number, (what, node.says) in enumerate(IMPROPER.items(), 1):
            asked = await h2.ask(b"/bad", method=b"POST")
            answer = await h2.answer(asked)
            assert is_honest(answer), (what, answer.status, answer.fields, answer.body[:200], answer.reset)
            assert b"smuggled" not in answer.body and b"set-cookie" not in answer.fields, what
            h1 = await RawClient.connect(scene.edge.port)
            await h1.send(b"POST /bad HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 0\r\n\r\n")
            head = await h1.head()
            while head is not None and head.status == 103:
                head = await h1.head()
            assert head is not None and head.status in (200, 502), (what, head)
            if head.status == 200:  # it has begun: the connection ends without the last chunk
                with contextlib.suppress(ConnectionError):
                    said = await asyncio.wait_for(h1.reader.read(-1), PATIENCE)
                    assert not said.endswith(b"0\r\n\r\n") and b"smuggled" not in said, (what, said)
            h1.abort()
            honest = await h2.get(b"/honest")
            assert (honest.status, honest.body, node.honest) == (200, b"ok", number), what
        assert psutil.Process(scene.edge.pid).memory_info().rss - before < 16 * MIB
        h2.drop()
    assert "Traceback" not in scene.edge.log()


async def test_what_a_node_says_behind_its_answer_is_nobodys(scene: Scene) -> None:
    node = Crooked()
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await scene.open(web(scene, protocol="opaque") | {"pools": {"tutors": {"nodes": [{"name": "x", "url": url}]}}})
        h2 = await H2Client.connect(scene.edge.port)
        for behind in (SPLIT, OK, b"x"):
            node.says = OK + behind
            for _ in range(3):
                answer = await h2.answer(await h2.ask(b"/bad/twice", method=b"POST"))
                assert (answer.status, answer.body, answer.complete) == (200, b"ok", True), behind
                answer = await h2.get(b"/honest")
                assert (answer.status, answer.body, answer.complete) == (200, b"ok", True), behind
        node.says = b"HTTP/1.1 409 Conflict\r\nSession-Outcome: not-sent\r\nContent-Length: 3\r\n\r\nwho"
        for more in ([], [(b"x-chat", b"c")]):  # alone, and in a session: nobody knows anything of it, nothing was done
            answer = await h2.answer(await h2.ask(b"/bad", method=b"POST", more=more))
            assert (answer.status, answer.fields.get(b"session-outcome")) == (503, b"not-sent"), (more, answer)
            assert int(answer.fields[b"retry-after"]) >= 1 and answer.body != b"who"
        h2.drop()
