"""Node legs over HTTP/1.1, against servers that answer as they should, and such that do not."""

import asyncio
import os
import socket
import ssl
import sys

import pytest
from aiohttp import web

from sbc.nodes import dial
from sbc.nodes.address import Speech
from tests.nodes.exchanges import Asking, Heard, answering, get, node_at, raw_node, read_head
from tests.support.wait import PATIENCE, wait_until
from tests.wire.tls import client_context, server_context

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The test's certificates are trusted; the context is that of the node."""

    def context(speech: Speech) -> ssl.SSLContext:
        ours = client_context()
        ours.set_alpn_protocols(dial._OFFERS[speech])
        return ours

    monkeypatch.setattr(dial, "client_context", context)
    return server_context()


async def _twice(asking: Asking, *answers: bytes, method: bytes = b"GET", then: str = "wait") -> tuple[Heard, int]:
    """One exchange, another after it: the first, and how many connections there were."""
    async with raw_node(answering(*answers, OK, then=then)) as raw:
        first = await asking.ask(raw.node, get(method=method)).end()
        second = asking.ask(raw.node, get())
        # Sent is not accepted yet by the node; whichever connection it goes on, something comes back.
        await wait_until(lambda: second.over or second.told[1:], "the second exchange")
        connections = raw.connections
        second.stream.abort()
    return first, connections


# Honest answers.


async def test_an_answer_with_a_length_and_the_connection_is_used_again(asking: Asking) -> None:
    async with raw_node(answering(OK, OK)) as raw:
        first = await asking.ask(raw.node, get(b"/a?b=c")).end()
        assert first.told == ["sent", "answered", "body", "ended"]
        assert (first.response.status, first.response.length, first.body) == (200, 2, b"ok")  # type: ignore[union-attr]
        assert await asking.ask(raw.node, get()).status() == 200
        assert raw.connections == 1 and asking.spawned == 1


async def test_the_head_that_a_node_gets(asking: Asking) -> None:
    heads: list[str] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(await read_head(reader))
            writer.write(OK)

    async with raw_node(behave) as raw:
        prefixed = node_at(raw.node.url + "/base/")
        assert await asking.ask(prefixed, get(b"/x?y", fields=[(b"accept", b"*/*")])).status() == 200
        assert await asking.ask(prefixed, get(b"*", b"OPTIONS")).status() == 200
        assert await asking.ask(prefixed, get(b"/p", b"POST")).status() == 200
    assert heads[0] == "GET /base/x?y HTTP/1.1\r\nhost: edge.test\r\naccept: */*\r\n\r\n"
    assert heads[1].startswith("OPTIONS * HTTP/1.1\r\n")
    assert "content-length: 0\r\n" in heads[2]


async def test_chunks_and_trailers_both_ways(asking: Asking) -> None:
    got = b""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        got = await reader.readuntil(b"0\r\nt: 1\r\n\r\n")
        writer.write(CHUNKED + b"2\r\nhi\r\n3\r\n ho\r\n0\r\nA: b\r\n\r\n")

    async with raw_node(behave) as raw:
        heard = asking.ask(raw.node, get(b"/", b"POST", bodied=True))
        heard.stream.send(b"abc")
        heard.stream.finish([(b"t", b"1")])
        await heard.end()
    assert b"transfer-encoding: chunked\r\n" in got and b"3\r\nabc\r\n" in got
    assert heard.body == b"hi ho" and heard.trailers == [(b"a", b"b")]
    assert heard.response is not None and heard.response.fields == []


async def test_a_body_of_known_length_goes_as_it_is(asking: Asking) -> None:
    got = b""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        head = await read_head(reader)
        assert "content-length: 6" in head and "chunked" not in head
        got = await reader.readexactly(6)
        writer.write(OK)
        await reader.read()

    async with raw_node(behave) as raw:
        assert await asking.ask(raw.node, get(b"/", b"POST", bodied=True, length=6), b"abcdef").status() == 200
    assert got == b"abcdef"


@pytest.mark.parametrize(("length", "wire"), [(6, b"abcdef"), (None, b"6\r\nabcdef\r\n0\r\n\r\n")])
async def test_a_body_that_is_here_goes_in_one_write_with_its_head(
    asking: Asking, length: int | None, wire: bytes
) -> None:
    segments: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await reader.readexactly(len(wire))
        # struct tcp_info of linux/tcp.h: tcpi_data_segs_in. On the loopback one write is one segment.
        told = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
        segments.append(int.from_bytes(told[152:156], sys.byteorder))
        writer.write(OK)
        await reader.read()

    async with raw_node(behave) as raw:
        assert await asking.ask(raw.node, get(b"/", b"POST", bodied=True, length=length), b"abcdef").status() == 200
    assert segments == [1 if length else 2]


async def test_a_body_that_is_not_here_holds_up_no_head(asking: Asking) -> None:
    heads: list[str] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_head(reader))
        await reader.readexactly(1)
        writer.write(OK)

    async with raw_node(behave) as raw:
        heard = asking.ask(raw.node, get(b"/", b"POST", bodied=True, length=1))
        await wait_until(lambda: bool(heads), "the head")
        heard.stream.send(b"a")
        heard.stream.finish([])
        assert (await heard.end()).body == b"ok"


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
])  # fmt: skip
async def test_an_answer_to_head_has_no_body(asking: Asking, head: bytes) -> None:
    heard, connections = await _twice(asking, head, method=b"HEAD")
    assert heard.told == ["sent", "answered whole"] and connections == 1
    assert heard.response is not None and heard.response.length in (500, None, 0)


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 304 N\r\nContent-Length: 500\r\n\r\n", b"HTTP/1.1 204 N\r\n\r\n",
    b"HTTP/1.1 200 N\r\nContent-Length: 0\r\n\r\n",
])  # fmt: skip
async def test_an_answer_without_a_body(asking: Asking, head: bytes) -> None:
    heard, connections = await _twice(asking, head)
    assert heard.told == ["sent", "answered whole"] and connections == 1


async def test_interim_answers_are_told_but_100(asking: Asking) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n"
    heard, connections = await _twice(asking, interim + OK)
    assert heard.told == ["sent", "informed", "answered", "body", "ended"] and connections == 1
    assert heard.interim == [(103, [(b"link", b"</x>")])]


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_the_end_of_the_connection_ends_an_answer(asking: Asking, head: bytes) -> None:
    async with raw_node(answering(head + b"abc", then="close")) as raw:
        heard = await asking.ask(raw.node, get()).end()
    assert heard.told[-1] == "ended" and heard.body == b"abc"


@pytest.mark.parametrize("clean", [True, False])
async def test_over_tls_only_a_goodbye_ends_an_answer(asking: Asking, trusted: ssl.SSLContext, clean: bool) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await wait_until(lambda: heard.body == b"abc", "the body")
        if not clean:  # a FIN without close_notify
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as bare:
                bare.shutdown(socket.SHUT_WR)
            await reader.read()

    async with raw_node(behave, trusted) as raw:
        heard = asking.ask(raw.node, get())
        await heard.end()
    assert heard.told[-1] == ("ended" if clean else "failed"), heard.failure


async def test_a_reset_ends_no_answer(asking: Asking) -> None:
    async with raw_node(answering(b"HTTP/1.1 200 OK\r\n\r\nabc", then="reset")) as raw:
        heard = await asking.ask(raw.node, get()).end()
    assert heard.failure is not None and heard.failure[1:] == (True, True)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", CHUNKED + b"3\r\nabc\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Le", b"",
])  # fmt: skip
async def test_an_answer_that_is_cut_has_failed(asking: Asking, answer: bytes) -> None:
    async with raw_node(answering(answer, then="close")) as raw:
        heard = await asking.ask(raw.node, get()).end()
    assert heard.failure is not None and heard.failure[1:] == (True, True)


@pytest.mark.parametrize("line", [b"Connection: close", b"Keep-Alive: timeout=1"])
async def test_a_node_that_does_not_keep_the_connection_gets_a_new_one(asking: Asking, line: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + line + b"\r\n\r\nok"
    heard, connections = await _twice(asking, answer)
    assert heard.body == b"ok" and connections == 2


# Hostile answers.


@pytest.mark.parametrize("answer", [
    b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 099 OK\r\n\r\n" + OK, b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\0\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    CHUNKED + b"zz\r\n", CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", CHUNKED + b"3\nabc\n0\n\n", CHUNKED + b"3\r\nabcd\r\n",
    CHUNKED + b"ffffffffffffffffff\r\n", CHUNKED + b"-1\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 103 Early\r\n\r\n" * 17 + OK, b"HTTP/1.1 100 Continue\r\n\r\n" * 17 + OK,
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 33000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70000, b"HTTP/1.1 200 " + b"b" * 70000,
    CHUNKED + b"0\r\nA: " + b"b" * 70000, CHUNKED + b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n",
    CHUNKED + b"3;" + b"b" * 200000,
], ids=range(33))  # fmt: skip
async def test_an_improper_answer_has_failed_and_the_connection_is_not_used_again(
    asking: Asking, answer: bytes
) -> None:
    heard, connections = await _twice(asking, answer)
    assert heard.failure is not None and heard.failure[1:] == (True, True)
    assert connections == 2


@pytest.mark.parametrize(("answer", "method"), [
    (OK + b"x", b"GET"), (OK + OK, b"GET"), (b"HTTP/1.1 204 N\r\nContent-Length: 2\r\n\r\nok", b"GET"),
    (b"HTTP/1.1 304 N\r\nContent-Length: 2\r\n\r\nok", b"GET"), (OK, b"HEAD"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"HEAD"),
    (b"HTTP/1.1 200 OK\r\n\r\nok", b"HEAD"),
])  # fmt: skip
async def test_what_comes_behind_an_answer_spoils_the_connection_alone(
    asking: Asking, answer: bytes, method: bytes
) -> None:
    heard, connections = await _twice(asking, answer, method=method)
    assert heard.failure is None and connections == 2


async def test_what_comes_on_an_idle_connection_spoils_it(asking: Asking) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(OK)
        await wait_until(lambda: first.over, "the first answer")
        writer.write(OK)
        assert await reader.read() == b""

    async with raw_node(behave) as raw:
        first = asking.ask(raw.node, get())
        lines = asking.pool._nodes
        await first.end()
        await wait_until(lambda: not lines[raw.node.id].open_lines, "the end of the connection")
        assert asking.pool.garbage == 1


# What goes wrong on the way.


async def test_a_node_that_is_not_there(asking: Asking) -> None:
    async with raw_node(answering()) as raw:
        node = raw.node
    heard = await asking.ask(node, get()).end()
    assert heard.told == ["failed"] and heard.failure is not None and heard.failure[1:] == (False, False)


async def test_an_url_that_leads_nowhere(asking: Asking) -> None:
    heard = await asking.ask(node_at("gopher://x"), get()).end()
    assert heard.told == ["failed"] and heard.failure is not None and heard.failure[1:] == (False, False)


async def test_a_request_line_that_is_none_is_not_sent(asking: Asking) -> None:
    async with raw_node(answering(OK)) as raw:
        heard = await asking.ask(raw.node, get(b"/\r\nX: y")).end()
        assert heard.failure is not None and heard.failure[1:] == (False, True)
        assert await asking.ask(raw.node, get()).status() == 200


async def _closes_in_the_moment(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one request; the connection breaks as the next one comes."""
    await read_head(reader)
    writer.write(OK)
    await read_head(reader)
    writer.transport.abort()


async def test_a_request_that_met_a_dying_connection_is_sent_again(asking: Asking) -> None:
    async with raw_node(_closes_in_the_moment) as raw:
        assert await asking.ask(raw.node, get()).status() == 200
        heard = asking.ask(raw.node, get())
        assert await heard.status() == 200 and raw.connections == 2
        assert heard.told.count("sent") == 1


async def test_one_that_is_not_idempotent_is_not(asking: Asking) -> None:
    async with raw_node(_closes_in_the_moment) as raw:
        assert await asking.ask(raw.node, get()).status() == 200
        heard = await asking.ask(raw.node, get(b"/", b"POST")).end()
        assert heard.failure is not None and heard.failure[1:] == (True, True) and raw.connections == 1


async def test_nor_one_whose_body_has_begun(asking: Asking) -> None:
    async with raw_node(_closes_in_the_moment) as raw:
        assert await asking.ask(raw.node, get()).status() == 200
        heard = await asking.ask(raw.node, get(b"/", b"PUT", bodied=True, length=1), b"a").end()
        assert heard.failure is not None and heard.failure[1:] == (True, True) and raw.connections == 1


async def test_an_idle_connection_that_ends_is_seen_at_once(asking: Asking) -> None:
    async with raw_node(answering(OK, then="close")) as raw:
        assert await asking.ask(raw.node, get()).status() == 200
        await wait_until(lambda: not asking.pool._nodes[raw.node.id].open_lines, "the end of the connection")
        assert await asking.ask(raw.node, get(b"/", b"POST")).status() == 200
        assert raw.connections == 2


@pytest.mark.parametrize("body", [b"abcdefg", b"abc"])
async def test_a_body_of_another_length_than_its_head_said_is_not_completed(asking: Asking, body: bytes) -> None:
    got = b""

    async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await read_head(reader)
        try:
            got = await reader.readexactly(6)
        except asyncio.IncompleteReadError as cut:
            got = cut.partial

    async with raw_node(behave) as raw:
        heard = await asking.ask(raw.node, get(b"/", b"POST", bodied=True, length=6), body).end()
        assert heard.failure is not None
    assert len(got) < 6


async def test_an_answer_before_the_end_of_the_request_closes_the_connection(asking: Asking) -> None:
    async with raw_node(answering(OK)) as raw:
        heard = asking.ask(raw.node, get(b"/", b"POST", bodied=True))
        assert await heard.status() == 200
        heard.stream.send(b"too late")
        heard.stream.finish([])
        await wait_until(lambda: not asking.pool._nodes[raw.node.id].open_lines, "the end of the connection")


async def test_an_exchange_that_is_given_up_closes_its_connection(asking: Asking) -> None:
    ended = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        try:
            await reader.read()
        finally:
            ended.set()

    async with raw_node(behave) as raw:
        heard = asking.ask(raw.node, get())
        await wait_until(lambda: heard.body, "the body")
        heard.stream.abort()
        heard.stream.send(b"x")
        heard.stream.resume()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        assert heard.told == ["sent", "answered", "body"]


@pytest.mark.parametrize("moment", ["sent", "informed", "answered", "body"])
async def test_giving_up_at_any_moment(asking: Asking, moment: str) -> None:
    async with raw_node(answering(b"HTTP/1.1 103 E\r\n\r\n" + OK, OK)) as raw:
        heard = asking.ask(raw.node, get())
        heard.on[moment] = heard.stream.abort
        await wait_until(lambda: moment in heard.told, moment)
        assert await asking.ask(raw.node, get(b"/b")).status() == 200
        assert heard.told[-1] == moment


# Pressure.


async def test_an_exchange_that_pauses_gets_no_more_until_it_resumes(asking: Asking) -> None:
    big = bytes(48_000_000)  # more than any machine's sockets hold
    written = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(big) + big)
        await writer.drain()
        written.set()
        await reader.read()

    async with raw_node(behave) as raw:
        heard = asking.ask(raw.node, get())
        heard.on["answered"] = heard.stream.pause
        await wait_until(lambda: heard.response, "the head")
        await asyncio.sleep(0.1)
        assert heard.body == b"" and not written.is_set()
        heard.stream.resume()
        assert heard.body == b""  # no fact from within an order
        await heard.end()
        assert len(heard.body) == len(big)


async def test_a_paused_answer_that_is_whole_already_waits(asking: Asking) -> None:
    async with raw_node(answering(OK, then="close")) as raw:
        heard = asking.ask(raw.node, get())
        heard.stream.pause()  # what is not paused yet is told whole
        await wait_until(lambda: heard.response, "the head")
        await asyncio.sleep(0.05)
        assert heard.told == ["sent", "answered"]
        heard.stream.resume()
        await heard.end()
        assert heard.told == ["sent", "answered", "body", "ended"]


async def test_a_node_that_reads_slowly_slows_the_exchange(asking: Asking) -> None:
    go = asyncio.Event()
    size = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal size
        await read_head(reader)
        await go.wait()
        while size < 8_000_000:
            size += len(await reader.read(1 << 20))
        writer.write(OK)
        await reader.read()

    async with raw_node(behave) as raw:
        heard = asking.ask(raw.node, get(b"/", b"POST", bodied=True, length=8_000_000))
        await wait_until(lambda: "sent" in heard.told, "the head")
        for _ in range(8):
            heard.stream.send(bytes(1_000_000))
        assert heard.stream.congested
        heard.stream.finish([])
        await wait_until(lambda: "slow" in heard.told, "slow")
        go.set()
        await heard.end()
        assert "ready" in heard.told and size == 8_000_000


async def test_a_body_that_comes_before_the_connection_is_kept_within_a_bound(asking: Asking) -> None:
    got = b""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await read_head(reader)
        got = await reader.readexactly(100_000)
        writer.write(OK)
        await reader.read()

    async with raw_node(behave) as raw:
        heard = asking.ask(raw.node, get(b"/", b"POST", bodied=True, length=100_000))
        heard.stream.send(b"a" * 90_000)
        assert heard.stream.congested
        await wait_until(lambda: heard.told, "slow")
        heard.stream.send(b"b" * 10_000)
        heard.stream.finish([])
        assert await heard.status() == 200
    assert heard.told[0] == "slow" and "ready" in heard.told
    assert got == b"a" * 90_000 + b"b" * 10_000


# A server that others wrote.


async def test_aiohttp(asking: Asking) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"X-Method": request.method})
        await answer.prepare(request)
        async for part in request.content.iter_any():
            await answer.write(part)
        await answer.write_eof()
        return answer

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    node = node_at(f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        for round_ in range(3):
            heard = asking.ask(node, get(b"/e", b"POST", bodied=True), b"abc" * 50_000)
            assert await heard.status() == 200 and heard.body == b"abc" * 50_000, round_
            assert await asking.ask(node, get(b"/", b"HEAD")).status() == 200
        assert asking.spawned == 1
    finally:
        await runner.cleanup()
