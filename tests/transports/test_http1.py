"""The HTTP/1.1 door by itself: how requests are read, answers framed, and connections kept or ended."""

import asyncio
from pathlib import Path

import pytest

from sbc.model.http import Response
from sbc.transports import http1_intake, patience
from tests.support.raw import upgrade
from tests.support.wait import wait_until
from tests.transports.door import Doorway, Taken, get, issued


def silent(_taken: Taken) -> None:
    """The answer comes later, from the test."""


def echo(taken: Taken) -> None:
    """The request's body is the answer, in chunks, with its trailers."""
    def begin() -> None:
        taken.stream.respond(Response(200), end=False)
        taken.stream.send(bytes(taken.content))
        taken.stream.finish(taken.trailers or [])

    if taken.request.bodied:
        taken.on_end = begin
    else:
        begin()


# Requests and their answers.

async def test_a_request_and_its_answer() -> None:
    async with Doorway() as door:
        client = await door.client(get("/a/b?c=d", "X-Kept: 1 ", "x-twice: a", "X-Twice: b"))
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, b"/a/b?c=d")
        assert "connection" not in answer.headers
        [taken] = door.script.taken
        request = taken.request
        assert (request.method, request.target, request.authority) == (b"GET", b"/a/b?c=d", b"edge.test")
        assert request.fields == [(b"x-kept", b"1"), (b"x-twice", b"a"), (b"x-twice", b"b")]
        assert (request.version, request.client, request.listener) == ("1.1", "127.0.0.1", "door")
        assert not request.bodied and request.length is None
        assert taken.octets == len(get("/a/b?c=d", "X-Kept: 1 ", "x-twice: a", "X-Twice: b"))


async def test_many_requests_on_one_connection() -> None:
    async with Doorway() as door:
        client = await door.client()
        for n in range(50):
            client.send(get(f"/{n}"))
            assert (await client.answer()).body == b"/%d" % n
        assert door.script.standing == 1


async def test_pipelined_requests_are_answered_in_order_and_begun_one_by_one() -> None:
    async with Doorway(silent) as door:
        client = await door.client(*(get(f"/{n}") for n in range(3)))
        for n in range(3):
            taken = await door.requests(n + 1)
            assert len(taken) == n + 1, "the next request waits for the answer before it"
            taken[n].answer(b"%d" % n)
            assert (await client.answer()).body == b"%d" % n


async def test_a_deep_pipeline() -> None:
    async with Doorway() as door:
        client = await door.client(*(get(f"/{n}") for n in range(900)))
        for n in range(900):
            assert (await client.answer()).body == b"/%d" % n


async def test_what_comes_too_early_is_kept_within_a_bound() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get("/first"))
        [first] = await door.requests(1)
        bulk = get("/more", "X: " + "x" * 1000)
        count = 16 * 1024 * 1024 // len(bulk)
        writing = asyncio.create_task(_pour(client.writer, bulk * count))
        await asyncio.wait([writing], timeout=0.5)
        assert not writing.done(), "nobody reads 16 MiB of requests ahead"
        door.script.play = lambda taken: taken.answer(b"x")
        first.answer(b"first")
        assert (await client.answer()).body == b"first"
        assert (await client.answer()).body == b"x"
        client.close()
        await asyncio.gather(writing, return_exceptions=True)


async def _pour(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


@pytest.mark.parametrize("step", [1, 2, 3, 7])
async def test_requests_in_pieces(step: int) -> None:
    async with Doorway(echo) as door:
        client = await door.client()
        whole = (get("/a") + get("/b", "Content-Length: 5", method="POST") + b"hello"
                 + get("/c", "Transfer-Encoding: chunked", method="POST")
                 + b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 9\r\n\r\n" + get("/d"))
        for at in range(0, len(whole), step):
            client.send(whole[at : at + step])
            await asyncio.sleep(0)
        for body in (b"", b"hello", b"abc0123456789", b""):
            answer = await client.answer()
            assert answer.body == body
        assert [taken.request.target for taken in door.script.taken] == [b"/a", b"/b", b"/c", b"/d"]
        assert door.script.taken[2].trailers == [(b"x-sum", b"9")]


async def test_trailers_go_both_ways() -> None:
    async with Doorway(echo) as door:
        client = await door.client(get("/", "Transfer-Encoding: chunked", "TE: trailers", method="POST"),
                                   b"2\r\nhi\r\n0\r\nGrpc-Status: 0\r\nX-Two: 2 \r\n\r\n")
        answer = await client.answer()
        assert answer.body == b"hi"
        assert answer.trailers == {"grpc-status": "0", "x-two": "2"}
        assert door.script.taken[0].request.bodied and door.script.taken[0].request.length is None


async def test_head_has_the_length_and_no_body() -> None:
    def play(taken: Taken) -> None:
        taken.stream.respond(Response(200, [], 1000), end=False)
        taken.stream.send(b"x" * 1000)  # a node that answers HEAD with a body: nobody sees it
        taken.stream.finish([])

    async with Doorway(play) as door:
        client = await door.client(get(method="HEAD"), get("/next", method="HEAD"))
        for _ in range(2):
            answer = await client.answer("HEAD")
            assert answer.headers["content-length"] == "1000"


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_bodies(status: int) -> None:
    def play(taken: Taken) -> None:
        taken.stream.respond(Response(status, [], 5), end=False)
        taken.stream.send(b"hello")
        taken.stream.finish([])

    async with Doorway(play) as door:
        client = await door.client(get(), get())
        for _ in range(2):
            answer = await client.answer()
            assert answer.status == status
            assert answer.headers.get("content-length") == (None if status == 204 else "5")
            assert "transfer-encoding" not in answer.headers


async def test_an_answer_in_pieces_goes_out_piece_by_piece() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get())
        [taken] = await door.requests(1)
        taken.stream.respond(Response(200, [(b"content-type", b"text/event-stream")]), end=False)
        assert (await client.head())[1]["transfer-encoding"] == "chunked"
        for n in range(3):
            taken.stream.send(b"data: %d\n\n" % n)
            assert await client.reader.readexactly(14) == b"9\r\ndata: %d\n\n\r\n" % n
        taken.stream.finish([])
        assert await client.reader.readexactly(5) == b"0\r\n\r\n"
        client.send(get("/again"))
        (await door.requests(2))[1].answer(b"again")
        assert (await client.answer()).body == b"again"


async def test_interim_answers() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get())
        [taken] = await door.requests(1)
        taken.stream.inform(103, [(b"link", b"</a.css>")])
        assert await client.head() == (103, {"link": "</a.css>"})
        taken.answer(b"x")
        taken.stream.inform(103, [])  # too late
        assert (await client.answer()).body == b"x"
        client.send(get("/b"))
        (await door.requests(2))[1].answer(b"y")
        assert (await client.answer()).body == b"y"


async def test_what_could_break_a_line_is_mended() -> None:
    fields = [(b"a", b"b\r\nc: d"), (b"e\r\nf", b"g"), (b"h", b"i\0")]
    async with Doorway(lambda taken: taken.answer(fields=fields)) as door:
        answer = await (await door.client(get())).answer()
        assert answer.headers == {"a": "b  c: d", "h": "i ", "content-length": "0"}


# HTTP/1.0, and the end of connections.

async def test_http_1_0_is_answered_and_closed() -> None:
    async with Doorway() as door:
        client = await door.client(get("/old", version="1.0", host=None))
        answer = await client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"/old", "close")
        assert await client.ended() == b""


async def test_http_1_0_is_kept_alive_on_request() -> None:
    async with Doorway() as door:
        client = await door.client()
        for _ in range(3):
            client.send(get("/old", "Connection: Keep-Alive", version="1.0"))
            answer = await client.answer()
            assert (answer.body, answer.headers["connection"]) == (b"/old", "keep-alive")


async def test_a_body_of_unknown_length_ends_with_the_connection_for_http_1_0() -> None:
    def play(taken: Taken) -> None:
        taken.stream.inform(103, [])  # which HTTP/1.0 does not know
        echo(taken)

    async with Doorway(play) as door:
        lines = ["Content-Length: 3", "Connection: keep-alive"]
        client = await door.client(get("/", *lines, method="POST", version="1.0"), b"abc")
        answer = await client.answer()
        assert answer.body == b"abc" and answer.headers["connection"] == "close"
        assert "transfer-encoding" not in answer.headers


async def test_connection_close_is_honoured() -> None:
    async with Doorway() as door:
        client = await door.client(get("/a", "Connection: x, Close"), get("/never"))
        answer = await client.answer()
        assert answer.headers["connection"] == "close"
        assert await client.ended() == b""
        assert len(door.script.taken) == 1


async def test_a_connection_ends_after_so_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1_intake, "MOST_REQUESTS", 3)
    async with Doorway() as door:
        client = await door.client(*(get() for _ in range(5)))
        for n in range(3):
            assert (await client.answer()).headers.get("connection") == ("close" if n == 2 else None)
        assert await client.ended() == b""
        assert len(door.script.taken) == 3


async def test_a_large_last_answer_reaches_a_slow_client_whole() -> None:
    async with Doorway(lambda taken: taken.answer(b"x" * 2_000_000)) as door:
        client = await door.client(get("/", "Connection: close"), receive_buffer=4096)
        await asyncio.sleep(0.1)
        assert (await client.answer()).body == b"x" * 2_000_000
        assert await client.ended() == b""


async def test_retired_connections_end_when_their_work_is_done() -> None:
    async with Doorway(silent) as door:
        idle, busy = await door.client(), await door.client(get())
        [taken] = await door.requests(1)
        await wait_until(lambda: door.script.standing == 2, "both are there")
        door.listener.retire()
        assert await idle.ended() == b""
        taken.answer(b"last")
        answer = await busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"last", "close")
        assert await busy.ended() == b""


# Answers that end too early must not look complete.

@pytest.mark.parametrize("length", [None, 100])
async def test_an_aborted_answer_is_cut(length: int | None) -> None:
    def play(taken: Taken) -> None:
        taken.stream.respond(Response(200, [], length), end=False)
        taken.stream.send(b"half")
        taken.stream.abort()
        taken.stream.send(b"nothing")
        taken.stream.finish([])

    async with Doorway(play) as door:
        with pytest.raises(asyncio.IncompleteReadError):
            await (await door.client(get())).answer()


async def test_an_aborted_answer_without_length_and_chunks_is_a_reset() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get(version="1.0"))
        [taken] = await door.requests(1)
        taken.stream.respond(Response(200), end=False)
        taken.stream.send(b"half")
        await client.head()
        assert await client.reader.readexactly(4) == b"half"
        taken.stream.abort()
        assert await client.was_reset()


async def test_an_answer_shorter_than_its_length_is_cut() -> None:
    def play(taken: Taken) -> None:
        taken.stream.respond(Response(200, [], 10), end=False)
        taken.stream.send(b"half")
        taken.stream.finish([])

    async with Doorway(play) as door:
        with pytest.raises(asyncio.IncompleteReadError):
            await (await door.client(get())).answer()


async def test_an_answer_longer_than_its_length_is_cut() -> None:
    def play(taken: Taken) -> None:
        taken.stream.respond(Response(200, [], 4), end=False)
        taken.stream.send(b"ha")
        taken.stream.send(b"lf HTTP/1.1 200 OK\r\n")
        taken.stream.finish([])

    async with Doorway(play) as door:
        client = await door.client(get())
        with pytest.raises(asyncio.IncompleteReadError):
            await client.answer()


async def test_no_answer_at_all_is_a_closed_connection() -> None:
    async with Doorway(lambda taken: taken.stream.abort()) as door:
        client = await door.client(get(), get())
        assert await client.ended() == b""
        assert len(door.script.taken) == 1


async def test_orders_that_come_too_late_do_nothing() -> None:
    async with Doorway() as door:
        client = await door.client(get("/1"))
        await client.answer()
        door.script.play = silent
        client.send(get("/2"))
        first, second = await door.requests(2)
        stream = first.stream
        stream.respond(Response(500), end=True)
        stream.send(b"x")
        stream.finish([])
        stream.inform(102, [])
        stream.pause()
        stream.resume()
        stream.abort()
        second.answer(b"second")
        assert (await client.answer()).body == b"second"


# The client's side of it.

async def test_a_client_that_leaves_is_gone() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get())
        [taken] = await door.requests(1)
        client.writer.close()
        await wait_until(lambda: taken.told == ["gone"], "the client is gone")
        taken.answer(b"too late")


async def test_a_client_that_leaves_in_its_body_is_gone() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get("/", "Content-Length: 10", method="POST"), b"half")
        [taken] = await door.requests(1)
        await wait_until(lambda: taken.content, "a part of the body")
        client.close()
        await wait_until(lambda: taken.told == ["gone"], "the client is gone")


async def test_bodies_are_taken_as_they_are_wanted() -> None:
    async with Doorway(lambda taken: taken.stream.pause()) as door:
        client = await door.client(get("/", f"Content-Length: {4_000_000}", method="POST"))
        [taken] = await door.requests(1)
        writing = asyncio.create_task(_pour(client.writer, b"x" * 4_000_000))
        await asyncio.wait([writing], timeout=0.3)
        assert not taken.content

        def little(data: bytes) -> None:
            taken.content.extend(data)
            taken.stream.pause()

        taken.on_body = little
        taken.stream.resume()
        await wait_until(lambda: taken.content, "a piece")
        assert len(taken.content) < 1_000_000
        taken.on_body = taken.content.extend
        taken.stream.resume()
        await wait_until(lambda: "ended" in taken.told, "the whole body")
        assert len(taken.content) == 4_000_000
        taken.answer(b"thanks")
        assert (await client.answer()).body == b"thanks"
        await writing


async def test_the_body_may_be_sent_once_it_is_wanted() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get("/", "Content-Length: 3", "Expect: 100-Continue", method="POST"))
        [taken] = await door.requests(1)
        assert taken.request.first(b"expect") is None
        taken.stream.resume()
        assert await client.head() == (100, {})
        taken.stream.resume()
        client.send(b"abc")
        await wait_until(lambda: taken.content == b"abc", "the body")
        taken.answer(b"x")
        assert (await client.answer()).body == b"x"
        client.send(get())
        await door.requests(2)


async def test_a_body_that_nobody_wants_is_answered_at_once() -> None:
    async with Doorway(lambda taken: taken.answer(status=413)) as door:
        client = await door.client(get("/", "Content-Length: 3", "Expect: 100-continue", method="POST"))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert await client.ended() == b""


async def test_a_body_sent_without_waiting_gets_no_100() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get("/", "Content-Length: 3", "Expect: 100-continue", method="POST"), b"abc")
        [taken] = await door.requests(1)
        await wait_until(lambda: "ended" in taken.told, "the body")
        taken.stream.resume()
        taken.answer(b"x")
        assert (await client.answer()).status == 200


async def test_an_early_answer_keeps_the_connection_if_little_is_left_of_the_body() -> None:
    async with Doorway(lambda taken: taken.answer(b"early")) as door:
        client = await door.client(get("/", "Content-Length: 1000", method="POST"), b"x" * 10)
        assert (await client.answer()).body == b"early"
        client.send(b"x" * 990, get("/next"))
        assert (await client.answer()).body == b"early"
        assert door.script.taken[1].request.target == b"/next"
        assert not door.script.taken[0].content, "nothing is told of a body behind its answer"


@pytest.mark.parametrize("line", ["Content-Length: 10000000", "Transfer-Encoding: chunked"])
async def test_an_early_answer_ends_the_connection_if_much_is_left_of_the_body(line: str) -> None:
    async with Doorway(lambda taken: taken.answer(b"early")) as door:
        client = await door.client(get("/", line, method="POST"))
        writing = asyncio.create_task(_pour(client.writer, b"8000\r\n" + b"x" * 2_000_000))
        answer = await client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"early", "close")
        assert await client.ended() == b""
        client.close()
        await asyncio.gather(writing, return_exceptions=True)


async def test_body_and_answer_at_the_same_time() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get("/", "Transfer-Encoding: chunked", method="POST"))
        [taken] = await door.requests(1)
        taken.stream.respond(Response(200), end=False)
        taken.on_body = taken.stream.send
        taken.on_end = lambda: taken.stream.finish([])
        await client.head()
        for _ in range(3):
            client.send(b"5\r\nhello\r\n")
            assert await client.reader.readexactly(10) == b"5\r\nhello\r\n"
        client.send(b"0\r\n\r\n")
        assert await client.ended() == b"0\r\n\r\n"


async def test_many_small_chunks_leave_others_their_turn() -> None:
    """Twenty thousand chunks in one go: they are not all read in one turn of the loop."""
    async with Doorway(silent) as door:
        flood = await door.client(get("/", "Transfer-Encoding: chunked", method="POST"), b"1\r\nx\r\n" * 20_000)
        [taken] = await door.requests(1)
        assert len(taken.content) < 20_000, "all of it in one turn"
        flood.send(b"0\r\n\r\n")
        await wait_until(lambda: "ended" in taken.told, "the body is whole")
        assert taken.content == b"x" * 20_000


async def test_a_slow_client_is_told_of() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get(), receive_buffer=4096)
        [taken] = await door.requests(1)
        taken.stream.respond(Response(200), end=False)
        sent = 0
        while not taken.stream.congested:
            taken.stream.send(b"x" * 50_000)
            sent += 50_000
            await asyncio.sleep(0)
        assert taken.told == ["slow"] and sent < 20_000_000
        taken.stream.finish([])
        answer = await client.answer()
        assert len(answer.body) == sent
        assert taken.told == ["slow"], "nothing is told of a stream that is over"


async def test_a_slow_client_is_ready_again() -> None:
    async with Doorway(silent) as door:
        client = await door.client(get(), receive_buffer=4096)
        [taken] = await door.requests(1)
        taken.stream.respond(Response(200), end=False)
        while not taken.stream.congested:
            taken.stream.send(b"x" * 50_000)
            await asyncio.sleep(0)
        reading = asyncio.create_task(client.reader.readexactly(10**9))
        await wait_until(lambda: taken.told == ["slow", "ready"], "ready again")
        reading.cancel()


async def test_no_request_is_begun_while_its_client_does_not_take_the_last_answer() -> None:
    async with Doorway(lambda taken: taken.answer(b"x" * 4_000_000)) as door:
        client = await door.client(*(get() for _ in range(10)), receive_buffer=4096)
        client.deaf(True)
        await asyncio.wait([asyncio.create_task(door.requests(4))], timeout=0.3)
        assert len(door.script.taken) < 4
        client.deaf(False)
        for _ in range(10):
            assert len((await client.answer()).body) == 4_000_000


# The same over TLS.

async def test_bodies_both_ways_over_tls(tmp_path: Path) -> None:
    def play(taken: Taken) -> None:
        taken.on_end = lambda: taken.answer(bytes(taken.content))

    async with Doorway(play, certificate=issued(tmp_path)) as door:
        client = await door.client()
        for _ in range(2):
            client.send(get("/", "Content-Length: 2000000", method="POST"))
            writing = asyncio.create_task(_pour(client.writer, b"0123456789" * 200_000))
            assert (await client.answer()).body == b"0123456789" * 200_000
            await writing
        assert door.script.taken[0].request.secure


async def test_a_last_answer_is_whole_over_tls(tmp_path: Path) -> None:
    async with Doorway(lambda taken: taken.answer(b"x" * 2_000_000), certificate=issued(tmp_path)) as door:
        client = await door.client(get("/", version="1.0"), receive_buffer=4096)
        assert (await client.answer()).body == b"x" * 2_000_000
        assert await client.ended() == b""


async def test_an_aborted_answer_of_unknown_length_is_no_good_end_over_tls(tmp_path: Path) -> None:
    async with Doorway(silent, certificate=issued(tmp_path)) as door:
        client = await door.client(get(version="1.0"))
        [taken] = await door.requests(1)
        taken.stream.respond(Response(200), end=False)
        taken.stream.send(b"half")
        await client.head()
        assert await client.reader.readexactly(4) == b"half"
        taken.stream.abort()
        assert await client.was_reset()


# Targets, upgrades, methods.

@pytest.mark.parametrize(("target", "seen"), [
    ("http://edge.test/a?b", b"/a?b"), ("HTTP://EDGE.test", b"/"), ("http://edge.test?q", b"/?q"),
])  # fmt: skip
async def test_absolute_targets(target: str, seen: bytes) -> None:
    async with Doorway() as door:
        assert (await (await door.client(get(target))).answer()).body == seen


async def test_options_of_the_edge_itself() -> None:
    async with Doorway() as door:
        client = await door.client(get("*", method="OPTIONS"), get("http://edge.test", method="OPTIONS"))
        for _ in range(2):
            assert (await client.answer()).body == b"*"


@pytest.mark.parametrize("other", ["h2c", "TLS/1.0", "foo"])
async def test_another_upgrade_is_as_good_as_none(other: str) -> None:
    async with Doorway(echo, "http1", "websocket") as door:
        lines = [f"Upgrade: {other}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]
        client = await door.client(get("/up", "Content-Length: 5", *lines, method="POST"), b"hello", get("/next"))
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, b"hello")
        assert (await client.answer()).status == 200
        assert [taken.request.target for taken in door.script.taken] == [b"/up", b"/next"]


async def test_a_websocket_goes_to_its_doorstep_and_all_else_does_not() -> None:
    async with Doorway(None, "http1", "websocket") as door:
        client = await door.client(get("/plain"))
        assert (await client.answer()).status == 200
        client.send(upgrade("/ws"))
        answer = await client.answer()
        assert answer.status == 503
        assert door.script.greeted[0].target == "/ws" and door.script.greeted[0].client == "127.0.0.1"


async def test_no_websocket_where_none_is_served() -> None:
    async with Doorway() as door:
        client = await door.client(upgrade("/ws"), get("/next"))
        assert (await client.answer()).body == b"/ws"
        assert (await client.answer()).body == b"/next"


async def test_nothing_but_websocket() -> None:
    async with Doorway(None, "websocket") as door:
        answer = await (await door.client(get())).answer()
        assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")


async def test_too_many_connections() -> None:
    async with Doorway() as door:
        door.script.most = 1
        first = await door.client(get())
        await first.answer()
        assert (await (await door.client()).answer()).status == 503
        first.close()
        await wait_until(lambda: door.script.standing == 0, "the first is counted off, the second never was counted")


# Time.

async def test_a_head_has_to_come_in_time() -> None:
    async with Doorway() as door:
        door.script.head = (8192, 50, 0.2)
        never, half = await door.client(), await door.client(b"GET / HT")
        for client in (never, half):
            assert (await client.answer()).status == 408
        kept = await door.client(get())
        await kept.answer()
        kept.send(b"G")
        assert (await kept.answer()).status == 408


async def test_an_idle_connection_is_closed_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "IDLE", 0.2)
    async with Doorway() as door:
        client = await door.client(get())
        await client.answer()
        assert await client.ended() == b""
        assert not door.script.refusals


@pytest.mark.parametrize(("idle", "grace", "rate"), [(0.2, 60.0, 1.0), (60.0, 0.2, 1e6)])
async def test_a_body_has_to_come_in_time(
    monkeypatch: pytest.MonkeyPatch, idle: float, grace: float, rate: float
) -> None:
    monkeypatch.setattr(patience, "BODY_IDLE", idle)
    monkeypatch.setattr(patience, "BODY_GRACE", grace)
    monkeypatch.setattr(patience, "BODY_BYTES_PER_SECOND", rate)
    async with Doorway(silent) as door:
        client = await door.client(get("/", "Content-Length: 10", method="POST"), b"half")
        [taken] = await door.requests(1)
        assert (await client.answer()).status == 408
        assert taken.told == ["gone"]


async def test_a_body_that_nobody_takes_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "BODY_IDLE", 0.2)
    monkeypatch.setattr(patience, "BODY_GRACE", 0.2)
    async with Doorway(lambda taken: taken.stream.pause()) as door:
        client = await door.client(get("/", "Content-Length: 8", method="POST"), b"half")
        [taken] = await door.requests(1)
        await asyncio.sleep(0.5)
        taken.stream.resume()
        client.send(b"half")
        await wait_until(lambda: "ended" in taken.told, "the whole body")


async def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STALL", 0.3)
    async with Doorway(silent) as door:
        client = await door.client(get(), receive_buffer=4096)
        client.deaf(True)
        [taken] = await door.requests(1)
        taken.stream.respond(Response(200), end=False)
        while not taken.stream.congested:
            taken.stream.send(b"x" * 50_000)
            await asyncio.sleep(0)
        await wait_until(lambda: "gone" in taken.told, "given up")
        assert door.script.abuses == ["h1_stalled"]
