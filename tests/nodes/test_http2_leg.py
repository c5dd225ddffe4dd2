"""Node legs over HTTP/2, with both engines, against servers by other libraries than the default one."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import h2.events
import pytest

from sbc.nodes import dial, http2
from sbc.nodes.address import Speech
from sbc.wire.http2.engine import Terms
from tests.nodes.exchanges import Asking, get, node_at
from tests.nodes.h2_node import H2Peer, h2_node, on_request
from tests.support.wait import wait_until
from tests.wire.tls import client_context, server_context


@pytest.fixture(params=["ngh2", "h2"])
async def asking(request: pytest.FixtureRequest) -> AsyncIterator[Asking]:
    it = Asking(request.param)
    yield it
    await it.close()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The test's certificates are trusted; the context is that of the node."""

    def context(speech: Speech) -> ssl.SSLContext:
        ours = client_context()
        ours.set_alpn_protocols(dial._OFFERS[speech])
        return ours

    monkeypatch.setattr(dial, "client_context", context)
    return server_context()


@on_request
def echo(peer: H2Peer, stream: int) -> None:
    """The request's body, unless it is longer than a window."""
    peer.answer(stream, 200, bytes(peer.bodies[stream]) or b"ok", (b"x-path", dict(peer.heads[stream])[b":path"]))


# Honest answers.


async def test_many_requests_on_one_connection(asking: Asking) -> None:
    async with h2_node(echo) as it:
        many = [asking.ask(it.node, get(b"/%d?x" % number)) for number in range(50)]
        for number, heard in enumerate(many):
            assert await heard.status() == 200
            assert heard.told == ["sent", "answered", "body", "ended"] and heard.body == b"ok"
            assert heard.response is not None and heard.response.first(b"x-path") == b"/%d?x" % number
        assert len(it.peers) == 1 and asking.spawned == 1


async def test_what_a_node_gets(asking: Asking) -> None:
    async with h2_node(echo) as it:
        prefixed = node_at(it.node.url + "/base")
        request = get(b"/x", b"POST", bodied=True, length=3, fields=[(b"te", b"trailers")])
        heard = asking.ask(prefixed, request, b"abc")
        assert await heard.status() == 200 and heard.body == b"abc"
        assert it.peers[0].heads[1] == [
            (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"edge.test"), (b":path", b"/base/x"),
            (b"te", b"trailers"), (b"content-length", b"3"),
        ]  # fmt: skip


async def test_trailers_both_ways_and_interim_answers(asking: Asking) -> None:
    def script(peer: H2Peer, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.TrailersReceived):
            stream = event.stream_id
            peer.h2.send_headers(stream, [(b":status", b"100")])
            peer.h2.send_headers(stream, [(b":status", b"103"), (b"link", b"</x>")])
            peer.h2.send_headers(stream, [(b":status", b"200"), (b"content-length", b"2")])
            peer.h2.send_data(stream, b"ok")
            peer.h2.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)

    async with h2_node(script) as it:
        heard = asking.ask(it.node, get(b"/", b"POST", bodied=True))
        heard.stream.send(b"abc")
        heard.stream.finish([(b"t", b"1")])
        assert await heard.status() == 200
        assert heard.interim == [(103, [(b"link", b"</x>")])] and heard.trailers == [(b"grpc-status", b"0")]
        assert heard.response is not None and heard.response.length == 2 and heard.response.fields == []
        assert it.peers[0].saw(h2.events.TrailersReceived)[0].headers == [(b"t", b"1")]


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
async def test_an_answer_without_a_body(asking: Asking, method: bytes, status: int) -> None:
    async with h2_node(on_request(lambda peer, stream: peer.answer(stream, status, None))) as it:
        heard = asking.ask(it.node, get(b"/", method))
        assert await heard.status() == status and heard.told == ["sent", "answered whole"]


async def test_trailers_without_a_body(asking: Asking) -> None:
    @on_request
    def script(peer: H2Peer, stream: int) -> None:
        peer.h2.send_headers(stream, [(b":status", b"200")])
        peer.h2.send_headers(stream, [(b"grpc-status", b"5")], end_stream=True)

    async with h2_node(script) as it:
        heard = asking.ask(it.node, get())
        assert await heard.status() == 200 and heard.told == ["sent", "answered", "ended"]


@pytest.mark.parametrize("scheme", ["h2", "https"])
async def test_over_tls(asking: Asking, trusted: ssl.SSLContext, scheme: str) -> None:
    trusted.set_alpn_protocols(["h2", "http/1.1"])
    async with h2_node(echo, trusted, scheme) as it:
        many = [asking.ask(it.node, get()) for _ in range(20)]
        for heard in many:
            assert await heard.status() == 200
        assert dict(it.peers[0].heads[1])[b":scheme"] == b"https" and len(it.peers) == 1


async def test_a_node_that_has_to_speak_http2_and_does_not(asking: Asking, trusted: ssl.SSLContext) -> None:
    async with h2_node(echo, trusted, "h2") as it:
        heard = await asking.ask(it.node, get()).end()
        assert heard.failure is not None and heard.failure[1:] == (False, False)


async def test_more_connections_if_a_node_takes_few_streams(asking: Asking) -> None:
    held: list[tuple[H2Peer, int]] = []
    async with h2_node(on_request(lambda peer, stream: held.append((peer, stream))), max_concurrent_streams=5) as it:
        first = asking.ask(it.node, get())
        await wait_until(lambda: held, "the first")
        many = [first, *(asking.ask(it.node, get()) for _ in range(59))]
        await wait_until(lambda: len(held) == 40, "8 connections with 5 streams each")
        assert len(it.peers) == 8
        for peer, stream in [held.pop() for _ in range(40)]:
            peer.answer(stream)
            peer.flush()
        await wait_until(lambda: len(held) == 20, "the others")
        for peer, stream in held:
            peer.answer(stream)
            peer.flush()
        for heard in many:
            assert await heard.status() == 200


# Refusals.


async def test_what_is_above_the_last_stream_goes_to_a_new_connection(asking: Asking) -> None:
    def script(peer: H2Peer, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.StreamEnded):
            if len(it.peers) > 1:
                peer.answer(event.stream_id)
            elif event.stream_id == 5:  # RFC 9113 section 6.8
                peer.raw(7, 0, 0, (1).to_bytes(4) + bytes(4))

    async with h2_node(script) as it:
        many = [asking.ask(it.node, get(method=b"POST")) for _ in range(3)]
        assert await many[1].status() == 200 and await many[2].status() == 200
        assert many[1].told.count("sent") == 1
        assert len(it.peers) == 2 and not many[0].over
        it.peers[0].answer(1)
        it.peers[0].flush()
        assert await many[0].status() == 200
        await wait_until(lambda: it.peers[0].lost, "the end of the connection")


async def test_a_stream_that_is_refused_is_opened_once_more(asking: Asking) -> None:
    refused = 0

    @on_request
    def script(peer: H2Peer, stream: int) -> None:
        nonlocal refused
        if refused < limit:
            refused += 1
            peer.h2.reset_stream(stream, 7)
        else:
            peer.answer(stream)

    async with h2_node(script) as it:
        limit = 1
        assert await asking.ask(it.node, get(method=b"POST")).status() == 200
        refused, limit = 0, 2
        heard = await asking.ask(it.node, get(method=b"POST")).end()
        assert heard.failure is not None and heard.failure[1:] == (False, True)


async def test_a_refused_request_whose_body_has_begun_is_safe_elsewhere(asking: Asking) -> None:
    async with h2_node(on_request(lambda peer, stream: peer.h2.reset_stream(stream, 7))) as it:
        heard = await asking.ask(it.node, get(b"/", b"POST", bodied=True), b"abc").end()
        assert heard.failure is not None and heard.failure[1:] == (False, True)


async def test_a_stream_that_is_reset_has_failed_alone(asking: Asking) -> None:
    @on_request
    def script(peer: H2Peer, stream: int) -> None:
        if stream == 1:
            peer.h2.send_headers(stream, [(b":status", b"200")])
            peer.h2.reset_stream(stream, 2)
        else:
            peer.answer(stream)

    async with h2_node(script) as it:
        first, second = asking.ask(it.node, get()), asking.ask(it.node, get())
        await first.end()
        assert first.failure is not None and first.failure[1:] == (True, True) and "INTERNAL_ERROR" in first.failure[0]
        assert await second.status() == 200


async def test_a_connection_that_breaks_fails_all(asking: Asking) -> None:
    @on_request
    def script(peer: H2Peer, stream: int) -> None:
        if stream == 3:
            peer.transport.abort()

    async with h2_node(script) as it:
        for heard in [asking.ask(it.node, get()), asking.ask(it.node, get())]:
            await heard.end()
            assert heard.failure is not None and heard.failure[1:] == (True, True)


# Hostile answers.


def _interim(peer: H2Peer, stream: int) -> None:
    for _ in range(40):
        peer.h2.send_headers(stream, [(b":status", b"103"), (b"a", b"b")])
    peer.answer(stream)


def _fields(peer: H2Peer, stream: int) -> None:
    peer.answer(stream, 200, b"ok", *[(b"a", b"b")] * 120)


def _long(peer: H2Peer, stream: int) -> None:
    peer.answer(stream, 200, b"ok", *[(b"a%d" % number, b"b" * 4000) for number in range(30)])


def _more(peer: H2Peer, stream: int) -> None:
    peer.h2.send_headers(stream, [(b":status", b"200"), (b"content-length", b"1")])
    peer.raw(0, 1, stream, b"abc")


def _less(peer: H2Peer, stream: int) -> None:
    peer.h2.send_headers(stream, [(b":status", b"200"), (b"content-length", b"9")])
    peer.raw(0, 1, stream, b"abc")


def _body_with_204(peer: H2Peer, stream: int) -> None:
    peer.h2.send_headers(stream, [(b":status", b"204")])
    peer.raw(0, 1, stream, b"abc")


def _no_status(peer: H2Peer, stream: int) -> None:
    peer.raw(1, 5, stream, b"\x00\x01a\x01b")


def _line_break(peer: H2Peer, stream: int) -> None:
    peer.raw(1, 5, stream, b"\x88\x00\x01a\x04b\r\nc")


def _switched(peer: H2Peer, stream: int) -> None:
    peer.raw(1, 4, stream, b"\x08\x03101")
    peer.raw(1, 5, stream, b"\x88")


def _garbage(peer: H2Peer, _stream: int) -> None:
    peer.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)


def _push(peer: H2Peer, stream: int) -> None:
    peer.raw(5, 4, stream, (2).to_bytes(4) + b"\x82\x86\x84\x41\x01a")


def _data_first(peer: H2Peer, stream: int) -> None:
    peer.raw(0, 0, stream, b"abc")


def _beyond_the_window(peer: H2Peer, stream: int) -> None:
    peer.h2.send_headers(stream, [(b":status", b"200")])
    for _ in range(9):
        peer.raw(0, 0, stream, bytes(16384))


@pytest.mark.parametrize("do", [
    _interim, _fields, _long, _more, _less, _body_with_204, _no_status, _line_break, _switched, _garbage, _push,
    _data_first, _beyond_the_window,
])  # fmt: skip
async def test_an_improper_answer_has_failed(asking: Asking, do: Callable[[H2Peer, int], None]) -> None:
    todo = [_good, do]

    @on_request
    def script(peer: H2Peer, stream: int) -> None:
        todo.pop()(peer, stream)

    async with h2_node(script) as it:
        heard = asking.ask(it.node, get())
        heard.on["answered"] = heard.stream.pause
        await wait_until(lambda: "answered" in heard.told or heard.over, "anything")
        if not heard.over:
            await asyncio.sleep(0.05)
            heard.stream.resume()
        await heard.end()
        assert heard.failure is not None and heard.failure[1:] == (True, True)
        assert await asking.ask(it.node, get()).status() == 200


def _good(peer: H2Peer, stream: int) -> None:
    peer.answer(stream)


# Pressure, and giving up.


async def test_a_slow_exchange_slows_its_own_stream_alone(asking: Asking) -> None:
    size = 300_000
    left: dict[int, int] = {}

    def pump(peer: H2Peer) -> None:
        for stream in [stream for stream, more in left.items() if more]:
            while left[stream] and (room := min(peer.h2.local_flow_control_window(stream), 16384, left[stream])):
                peer.h2.send_data(stream, bytes(room), end_stream=room == left[stream])
                left[stream] -= room

    def script(peer: H2Peer, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.StreamEnded):
            left[event.stream_id] = size
            peer.h2.send_headers(event.stream_id, [(b":status", b"200")])
        pump(peer)

    async with h2_node(script) as it:
        slow = asking.ask(it.node, get())
        slow.on["answered"] = slow.stream.pause
        await wait_until(lambda: slow.response, "the head")
        for _ in range(5):
            fast = asking.ask(it.node, get())
            assert await fast.status() == 200 and len(fast.body) == size
        assert slow.body == b"" and 0 < left[1] <= size - 60_000
        slow.stream.resume()
        assert slow.body == b""
        await slow.end()
        assert len(slow.body) == size and len(it.peers) == 1


async def test_what_a_reset_stream_held_is_credited_to_the_others(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2, "_TERMS", Terms(stream_window=64 * 1024, connection_window=128 * 1024))

    def script(peer: H2Peer, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.StreamEnded):
            peer.h2.send_headers(event.stream_id, [(b":status", b"200")])
            for _ in range(3):
                peer.h2.send_data(event.stream_id, bytes(16384))

    async with h2_node(script) as it:
        for number in range(5):
            heard = asking.ask(it.node, get())
            heard.on["answered"] = heard.stream.pause
            await wait_until(lambda: heard.response, f"the head of answer {number}")  # noqa: B023
            peer = it.peers[0]
            peer.h2.reset_stream(peer.h2.highest_inbound_stream_id)
            peer.flush()
            await heard.end()
        assert len(it.peers) == 1


async def test_a_node_that_gives_no_credit_slows_the_exchange(asking: Asking) -> None:
    async with h2_node(echo) as it:
        heard = asking.ask(it.node, get(b"/", b"POST", bodied=True, length=400_000))
        await wait_until(lambda: "sent" in heard.told, "the head")
        it.peers[0].credit = False
        for _ in range(4):
            heard.stream.send(bytes(100_000))
        heard.stream.finish([])
        await wait_until(lambda: "slow" in heard.told, "slow")
        other = asking.ask(it.node, get(b"/other"))
        assert await other.status() == 200
        peer = it.peers[0]
        peer.credit = True
        peer.h2.acknowledge_received_data(len(peer.bodies[1]), 1)
        peer.flush()
        await wait_until(lambda: "ready" in heard.told, "ready")
        await wait_until(lambda: len(peer.bodies[1]) == 400_000, "the whole body")
        heard.stream.abort()


async def test_a_stream_that_is_given_up_is_reset(asking: Asking) -> None:
    async with h2_node(lambda _peer, _event: None) as it:
        heard = asking.ask(it.node, get())
        await wait_until(lambda: it.peers and it.peers[0].saw(h2.events.StreamEnded), "the request")
        heard.stream.abort()
        resets = await wait_until(lambda: it.peers[0].saw(h2.events.StreamReset), "a reset")
        assert resets[0].error_code == 8 and heard.told == ["sent"]


async def test_an_answer_before_the_end_of_the_request_ends_the_upload(asking: Asking) -> None:
    def script(peer: H2Peer, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            peer.answer(event.stream_id, 413, b"no")

    async with h2_node(script) as it:
        heard = asking.ask(it.node, get(b"/", b"POST", bodied=True))
        assert await heard.status() == 413
        heard.stream.send(b"too late")
        await wait_until(lambda: it.peers[0].saw(h2.events.StreamReset), "a reset")
        assert not it.peers[0].lost


@pytest.mark.parametrize("body", [b"abcdefg", b"abc"])
async def test_a_body_of_another_length_than_its_head_said_is_not_completed(asking: Asking, body: bytes) -> None:
    async with h2_node(lambda _peer, _event: None) as it:
        heard = asking.ask(it.node, get(b"/", b"POST", bodied=True, length=6))
        await wait_until(lambda: it.peers and it.peers[0].heads, "the head")
        heard.stream.send(body)
        heard.stream.finish([])
        await heard.end()
        assert heard.failure is not None
        await wait_until(lambda: it.peers[0].saw(h2.events.StreamReset), "a reset")
        assert not it.peers[0].saw(h2.events.StreamEnded)


# A server that others wrote.


@pytest.mark.skipif(shutil.which("nghttpd") is None, reason="nghttpd is not installed")
async def test_nghttpd(asking: Asking, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"x" * 500_000)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        "nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", str(tmp_path), str(port), "--trailer", "t: 1",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    node = node_at(f"h2c://127.0.0.1:{port}")
    try:
        async def answers() -> bool:
            return (await asking.ask(node, get(b"/page")).end()).failure is None

        await wait_until(answers, "nghttpd")
        many = [asking.ask(node, get(b"/page")) for _ in range(20)]
        for heard in many:
            assert await heard.status() == 200
            assert len(heard.body) == 500_000 and heard.trailers == [(b"t", b"1")]
        assert await asking.ask(node, get(b"/page", b"HEAD")).status() == 200
        assert await asking.ask(node, get(b"/none")).status() == 404
    finally:
        server.kill()
        await server.wait()


async def test_a_grpc_server(asking: Asking) -> None:
    def talk(messages: Iterator[bytes], _call: grpc.ServicerContext) -> Iterator[bytes]:
        yield from (message.upper() for message in messages)

    handler = grpc.stream_stream_rpc_method_handler(talk)  # bytes as they are
    server = grpc.server(ThreadPoolExecutor(1), [grpc.method_handlers_generic_handler("s.S", {"Talk": handler})])
    node = node_at(f"h2c://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    try:
        fields = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
        heard = asking.ask(node, get(b"/s.S/Talk", b"POST", bodied=True, fields=fields))
        for word in (b"one", b"two"):
            heard.stream.send(b"\0" + len(word).to_bytes(4) + word)
            await wait_until(lambda: word.upper() in heard.body, "an answer while the request goes on")  # noqa: B023
        heard.stream.finish([])
        assert await heard.status() == 200
        assert (b"grpc-status", b"0") in (heard.trailers or [])
    finally:
        server.stop(None).wait()
