"""P1 over HTTP: the client's connection and streams outlive the node; what cannot go on is never taken for whole."""

import asyncio
import contextlib
import json

import pytest
from h2.errors import ErrorCodes

from tests.nodes.h2_node import H2Peer, h2_node, on_request
from tests.support.asking import Stream, asking, url, web
from tests.support.h2_client import H2Client
from tests.support.raw import RawClient
from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until


def numbers(text: bytes) -> list[int]:
    """Which events stand in a body."""
    lines = text.split(b"\n")[:-1]  # the last one is not here whole yet
    return [json.loads(line[6:])["i"] for line in lines if line.startswith(b"data: {")]


async def test_a_stream_goes_on_behind_the_last_id_on_every_kind_of_connection(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(web(scene))
    path = "/events?ids&count=120&every=0.02"
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sN", "--http2-prior-knowledge", "-H", "Accept: text/event-stream", "-H", "X-Chat: curl",
        url(scene, path), stdout=asyncio.subprocess.PIPE)
    old = await RawClient.connect(scene.edge.port)
    await old.send(f"GET {path} HTTP/1.0\r\nAccept: text/event-stream\r\nX-Chat: old\r\n\r\n".encode())
    h2 = await H2Client.connect(scene.edge.port)
    ids = [await h2.ask(path.encode(), more=[(b"accept", b"text/event-stream"), (b"x-chat", b"h2-%d" % number)])
           for number in range(2)]
    async with asking() as http:
        streams = [Stream.opened(http, "GET", url(scene, path), headers={"X-Chat": f"{number}",
                   "Accept": "text/event-stream"}) for number in range(3)]
        for stream in streams:
            await stream.has(5)
        for victim in scene.nodes.values():
            victim.kill()
            for stream in streams:
                await stream.has(min(120, len(stream.events) + 10))
            victim.start()
            await scene.edge.sees(victim)
        for stream in streams:
            assert await stream.ended() == "whole"
            assert [event.json["i"] for event in stream.events] == list(range(1, 121))
    for number in ids:
        answer = await h2.answer(number)
        assert answer.complete and numbers(answer.body) == list(range(1, 121))
    h2.drop()
    said, _ = await asyncio.wait_for(curl.communicate(), PATIENCE)
    assert curl.returncode == 0 and numbers(said) == list(range(1, 121))
    text = await asyncio.wait_for(old.reader.read(-1), PATIENCE)
    assert numbers(text) == list(range(1, 121))
    # Those that were not waited for may have ended before their node was killed.
    assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="moved") >= 3


async def test_a_connection_is_kept_when_the_node_behind_it_dies(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    client, h2 = await RawClient.connect(scene.edge.port), await H2Client.connect(scene.edge.port)

    async def ask() -> str:
        await client.send(b"GET /ask HTTP/1.1\r\nHost: edge.test\r\nX-Chat: c\r\n\r\n")
        answer = await client.head()
        assert answer is not None and answer.status == 200, answer
        return str(json.loads(await client.reader.readexactly(int(answer.headers["content-length"])))["node"])
    first = await ask()
    stream = await h2.ask(b"/ask?after=0.5", more=[(b"x-chat", b"c")])
    await wait_until(lambda: len(scene.nodes[first].history("heard")) == 2, "it is sent")
    scene.nodes[first].kill()
    assert await ask() != first
    answer = await h2.answer(stream)
    assert answer.status == 200 and json.loads(answer.body)["node"] != first
    assert (await h2.get(b"/ask")).status == 200
    h2.drop()


@pytest.mark.parametrize("framing", ["", "&length"])
async def test_a_plain_answer_that_was_begun_ends_as_cut_off(scene: Scene, framing: str) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    path = f"/bytes?size=2000000&every=0.02{framing}"
    h2 = await H2Client.connect(scene.edge.port)
    number = await h2.ask(path.encode(), more=[(b"x-chat", b"h2")])
    old = await RawClient.connect(scene.edge.port)
    await old.send(f"GET {path} HTTP/1.0\r\nX-Chat: old\r\n\r\n".encode())
    async with asking() as http:
        stream = Stream.opened(http, "GET", url(scene, path), headers={"X-Chat": "c"})
        await wait_until(lambda: len(stream.body) > 20_000, "it is begun")
        await h2.until(lambda: len(h2.answers[number].body) > 20_000, "it is begun")
        await asyncio.wait_for(old.reader.readexactly(20_000), PATIENCE)
        scene.nodes["a"].kill()
        assert await stream.ended() == "cut"
    answer = await h2.answer(number)
    assert answer.reset is not None and not answer.complete
    h2.drop()
    if framing:
        assert len(await asyncio.wait_for(old.reader.read(-1), PATIENCE)) < 1_990_000
    else:  # only a reset tells the end of such a body from its loss
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(old.reader.read(-1), PATIENCE)


async def test_trailers_of_plain_nodes_reach_every_client_and_a_cut_answer_has_none(scene: Scene) -> None:
    cut = asyncio.Event()

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                whole = b"/cut " not in await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
                if not whole:
                    await cut.wait()
                    writer.transport.abort()
                    return
                writer.write(b"0\r\nX-Sum: 9\r\nSession-Id: leaked\r\n\r\n")

    refused: list[int] = []

    def new(peer: H2Peer, stream: int) -> None:
        if b"/refused" in dict(peer.heads[stream])[b":path"] and not refused:
            refused.append(stream)
            peer.h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        peer.h2.send_headers(stream, [(b":status", b"200")])
        whole = b"/cut" not in dict(peer.heads[stream])[b":path"]
        peer.h2.send_data(stream, b"ok")
        if whole:
            peer.h2.send_headers(stream, [(b"x-sum", b"9"), (b"session-id", b"leaked")], end_stream=True)

    server = await asyncio.start_server(old, "127.0.0.1", 0)
    async with server, h2_node(on_request(new)) as it:
        urls = {"old": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "new": str(it.node.url)}
        changes = web(scene, protocol="opaque")
        await scene.open(changes | {
            "pools": {kind: {"nodes": [{"name": kind, "url": at}]} for kind, at in urls.items()},
            "agents": {kind: {"pool": kind} for kind in urls},
            "routes": [{"match": {"path": "/alone"}, "agent": "new"}] + [
                changes["routes"][0] | {"match": {"path": f"/{kind}"}, "agent": kind} for kind in urls],
        })
        h2, h1 = await H2Client.connect(scene.edge.port), await RawClient.connect(scene.edge.port)
        for kind in urls:
            answer = await h2.get(f"/{kind}/whole".encode())
            assert (answer.body, answer.trailers, answer.complete) == (b"ok", {b"x-sum": b"9"}, True)
            await h1.send(f"GET /{kind}/whole HTTP/1.1\r\nHost: edge.test\r\nTE: trailers\r\n\r\n".encode())
            head = await h1.head()
            assert head is not None and head.status == 200
            said = await asyncio.wait_for(h1.reader.readuntil(b"\r\n0\r\nx-sum: 9\r\n\r\n"), PATIENCE)
            assert b"ok" in said and b"leaked" not in said
            begun = await h2.ask(f"/{kind}/cut".encode())
            await h2.until(lambda begun=begun: h2.answers[begun].body == b"ok", "it is begun")
            cut.set()
            for peer in it.peers:
                peer.transport.abort()
            ended = await h2.answer(begun)
            assert ended.reset is not None and not ended.complete and not ended.trailers
        # RFC 9113 section 8.7: nothing was done, and nobody else is there. With a GOAWAY it is the same.
        assert (await h2.get(b"/alone")).complete, "a connection stands"
        await h1.send(b"POST /alone/refused HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 1\r\n\r\nx")
        head = await h1.head()
        assert head is not None and (head.status, len(refused)) == (200, 1)
        h2.drop()


# Planned moves.


async def test_a_drain_waits_for_the_answers_and_moves_the_sessions_between_them(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(web(scene, protocol="sse", deadline="300ms"))
    async with asking() as http:
        idle = [Stream.opened(http, "GET", url(scene, "/ask"), headers={"X-Chat": f"i{n}"}) for n in range(4)]
        for stream in idle:
            await stream.ended()
        busy = [Stream.opened(http, "GET", url(scene, "/bytes?size=800000&every=0.03"), headers={"X-Chat": f"b{n}"})
                for n in range(4)]
        for stream in busy:
            await wait_until(lambda stream=stream: len(stream.body) > 30_000, "it is begun")
        said = [Stream.opened(http, "POST", url(scene, "/events?count=60&every=0.03"), headers={"X-Chat": f"s{n}"})
                for n in range(4)]
        for stream in said:
            await stream.has(2)
        await scene.edge.post("/api/v1/nodes/a/drain")
        for stream in busy:
            assert await stream.ended() == "whole" and len(stream.body) == 800_000, "it was cut by the drain"
        for stream in said:
            assert await stream.ended() == "whole" and len(stream.events) == 60, "it was cut by the drain"
        await scene.no_sessions("?node=a")
        for number in range(4):
            again = Stream.opened(http, "GET", url(scene, "/ask"), headers={"X-Chat": f"i{number}"})
            await again.ended()
            assert again.json["node"] == "b"
        assert await scene.edge.metric("sbc_unknown_messages_total") == 0


async def test_a_standing_stream_moves_with_its_session(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(web(scene))
    async with asking() as http:
        stream = Stream.opened(http, "GET", url(scene, "/events?ids&count=100&every=0.02"),
                               headers={"X-Chat": "c", "Accept": "text/event-stream"})
        await stream.has(5)
        session = await scene.only_session()
        for _ in range(2):
            source = stream.node
            to = "b" if source == "a" else "a"
            status, answer = await scene.edge.post(f"/api/v1/sessions/{session}/migrate", {"to": to})
            assert status in (200, 202), answer
            await wait_until(lambda to=to: stream.node == to, f"{to} goes on")
        assert await stream.ended() == "whole"
        assert [event.json["i"] for event in stream.events] == list(range(1, 101))
    assert await scene.edge.metric("sbc_handovers_total", cause="migration", outcome="moved") == 2


async def test_a_session_with_checkpoints_is_migrated_at_the_end_of_its_turn_or_in_the_middle(scene: Scene) -> None:
    scene.trunk("a", "b", module="node_http_trunk", checkpoint="never")
    await scene.open(web(scene, deadline="200ms"))
    async with asking() as http:
        async def say(n: int, say: int) -> Stream:
            return Stream.opened(http, "POST", url(scene, "/talk"), headers={"X-Chat": "c"},
                                 data=json.dumps({"n": n, "say": say, "every": 0.02}))
        first = await say(1, 3)
        await first.ended()
        session = await scene.only_session()
        for number, count in ((10, 0), (100, 80)):  # between requests, then past the deadline of a long answer
            stream = await say(number, count)
            await (stream.has(3) if count else stream.ended())
            owner = (await scene.edge.session(session))["owner"].partition("/")[2]
            await scene.edge.post(f"/api/v1/sessions/{session}/migrate", {"to": "b" if owner == "a" else "a"})

            async def moved(owner: str = owner) -> bool:
                return not (await scene.edge.session(session))["owner"].endswith(f"/{owner}")
            await wait_until(moved, "the session is moved")
            assert await stream.ended() == "whole"
        assert [event.json["i"] for event in stream.events] == list(range(80))
        assert {event.json["sum"] for event in stream.events} == {111}
        last = await say(1000, 1)
        await last.ended()
        assert last.events[0].json["sum"] == 1111
    assert await scene.edge.metric("sbc_handovers_total", cause="migration", outcome="moved") == 2


async def test_an_operator_ends_a_session(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene))
    async with asking() as http:
        standing = Stream.opened(http, "GET", url(scene, "/events?count=500&every=0.02"),
                                 headers={"X-Chat": "c", "Accept": "text/event-stream"})
        await standing.has(2)
        posted = Stream.opened(http, "POST", url(scene, "/ask?after=20"), headers={"X-Chat": "c"}, data=b"{}")
        await wait_until(lambda: len(scene.nodes["a"].history("heard")) == 2, "it is sent")
        session = await scene.only_session()
        status, _ = await scene.edge.get(f"/api/v1/sessions/{session}", "DELETE")
        assert status in (200, 202, 204)
        await standing.ended()
        await posted.ended()
        assert (posted.status, posted.headers["session-outcome"]) == (502, "unknown")
        await scene.no_sessions()
        again = Stream.opened(http, "POST", url(scene, "/ask"), headers={"X-Chat": "c"}, data=b"{}")
        await again.ended()
        assert again.status == 200, "the key begins a new session"
