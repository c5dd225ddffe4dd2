"""TLS between TCP and a protocol: whatever pieces it comes in, whoever breaks it, on real sockets, by both twins."""

import asyncio
import random
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.support.wait import PATIENCE, wait_until
from tests.wire.tls import TWINS, App, Door, Rekeyer, client_context, unread

pytestmark = pytest.mark.parametrize("twin", TWINS, ids=lambda twin: "plain" if "plain" in twin.__module__ else "built")
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@VERSIONS
async def test_what_is_sent_comes_back(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair(version)
        for size in (1, 100, 16384, 16385, 40_000):
            await caller.send_raw(caller.records(bytes(size)))
            assert await caller.read(size) == bytes(size)
        assert app.transport.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
        assert app.transport.get_extra_info("peername") == caller.sock.getsockname()


async def test_a_mebibyte_both_ways_at_once(twin: Any) -> None:
    async with Door(twin) as door:
        caller, _ = await door.pair()
        message = random.Random(1).randbytes(1 << 20)
        sending = asyncio.create_task(caller.send_raw(caller.records(message)))
        assert await caller.read(len(message)) == message
        await sending


async def test_records_that_come_together_are_delivered_together(twin: Any) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair()
        await caller.send_raw(b"".join(caller.records(bytes([one])) for one in range(50)))
        assert await caller.read(50) == bytes(range(50))
        assert app.deliveries == 1


@VERSIONS
async def test_a_handshake_byte_by_byte(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin) as door:
        caller = await door.caller(version)
        await caller.shake(step=1)
        await caller.send_raw(caller.records(b"well"))
        assert await caller.read(4) == b"well"


@VERSIONS
async def test_records_cut_at_every_offset(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair(version)
        parts = (b"a", b"b" * 40, b"c")
        plain, cut, length = b"".join(parts), 0, 2
        while (cut := cut + 1) < length:
            raw = b"".join(caller.records(part) for part in parts)
            length = len(raw)
            await caller.send_raw(raw[:cut])
            while unread(app.transport):  # noqa: ASYNC110  nobody is told of what the kernel holds
                await asyncio.sleep(0)
            await caller.send_raw(raw[cut:])
            assert await caller.read(len(plain)) == plain


async def test_data_that_comes_with_the_end_of_the_handshake(twin: Any) -> None:
    async with Door(twin) as door:
        caller = await door.caller()
        await caller.shake(last=False)
        await caller.send_raw(caller.outgoing.read() + caller.records(b"early"))
        assert await caller.read(5) == b"early"
        assert door.apps[0].told == ["made"]


async def test_paused_from_the_start_it_is_delivered_when_reading_is_resumed(twin: Any) -> None:
    async with Door(twin, paused=True) as door:
        caller = await door.caller()
        await caller.shake(last=False)
        await caller.send_raw(caller.outgoing.read() + caller.records(b"early"))
        await wait_until(lambda: door.apps[0].told, "connection_made")
        app = door.apps[0]
        flood = asyncio.create_task(caller.send_raw(caller.records(bytes(16 << 20))))
        await wait_until(lambda: unread(app.transport) > 100_000, "the flood to stand in the kernel")
        assert not app.heard and not flood.done()
        app.echo = False
        app.transport.resume_reading()
        await flood
        await wait_until(lambda: len(app.heard) == 5 + (16 << 20), "all of it")
        assert app.heard.startswith(b"early")


async def test_who_never_finishes_is_dropped_in_time(twin: Any) -> None:
    async with Door(twin) as door:
        door.patience = 0.05
        caller = await door.caller()
        await caller.send_raw(b"\x16\x03\x01\x02\x00")
        assert not await caller.pump()
        assert [type(error) for error in door.failed] == [TimeoutError]
        assert door.apps[0].told == []


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x00" * 3000, b"\x16\x03\x01\xff\xff" * 900])
async def test_what_is_no_tls_is_a_failure_and_no_more(twin: Any, words: bytes) -> None:
    async with Door(twin) as door:
        caller = await door.caller()
        await caller.send_raw(words)
        await wait_until(lambda: door.failed, "the failure")
        assert isinstance(door.failed[0], ssl.SSLError)
        assert door.apps[0].told == []


@VERSIONS
async def test_a_version_that_is_not_spoken(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin) as door:
        other = ({ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3} - {version}).pop()
        door.context.minimum_version = door.context.maximum_version = other
        caller = await door.caller(version)
        with pytest.raises(ssl.SSLError):
            await caller.shake()
        await wait_until(lambda: len(door.failed) == 1, "the failure")


async def test_who_leaves_in_the_handshake_is_no_failure_of_tls(twin: Any) -> None:
    async with Door(twin) as door:
        caller = await door.caller()
        caller.sock.close()
        await wait_until(lambda: door.failed, "word of it")
        assert door.failed == [None]


@VERSIONS
async def test_a_forged_record_ends_it_after_what_came_before(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair(version)
        good, bad = caller.records(b"good"), bytearray(caller.records(b"bad"))
        bad[-1] ^= 1
        await caller.send_raw(good + bytes(bad))
        await wait_until(lambda: "lost" in app.told, "the end")
        assert app.heard == b"good"
        assert app.told.count("lost") == 1


async def test_a_reset_inside_a_record(twin: Any) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair()
        await caller.send_raw(caller.records(bytes(100))[:50])
        caller.reset()
        await wait_until(lambda: "lost" in app.told, "the end")
        assert app.told.count("lost") == 1 and not app.heard


@VERSIONS
async def test_a_goodbye_is_answered(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair(version)
        await caller.send_raw(caller.records(b"last") + caller.goodbye())
        await wait_until(lambda: "lost" in app.told, "the end")
        assert app.heard == b"last"
        assert app.told == ["made", "eof", "lost"]


async def test_an_end_without_goodbye_is_an_end(twin: Any) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair()
        caller.sock.shutdown(socket.SHUT_WR)
        await wait_until(lambda: "lost" in app.told, "the end")
        assert app.told == ["made", "eof", "lost"]


@VERSIONS
async def test_closing_sends_all_there_is_and_a_goodbye(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair(version)
        app.transport.write(bytes(1 << 20))
        app.transport.close()
        assert app.transport.is_closing()
        app.transport.write(b"too late")
        assert await caller.read(2 << 20) == bytes(1 << 20)  # ended by a goodbye: else this raises EOFError


@VERSIONS
async def test_half_closed_it_still_hears(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin, echo=False) as door:
        caller, app = await door.pair(version)
        await caller.send_raw(caller.records(b"before"))
        await wait_until(lambda: app.heard == b"before", "what came before")
        early = caller.records(bytes(100_000))
        app.transport.write(b"sorry")
        app.transport.write_eof()
        app.transport.write(b"not sent any more")
        assert await caller.read(100) == b"sorry"
        await caller.send_raw(early)
        await wait_until(lambda: len(app.heard) == 100_006, "what came after")
        assert "lost" not in app.told
        caller.sock.close()
        await wait_until(lambda: "lost" in app.told, "the end")


async def test_a_slow_reader_pauses_its_writer_and_costs_no_more_than_the_limit(twin: Any) -> None:
    async with Door(twin, echo=False) as door:
        caller, app = await door.pair()
        app.transport.set_write_buffer_limits(65536, 16384)
        written = 0
        while "pause" not in app.told:
            app.transport.write(bytes(10_000))
            written += 10_000
            await asyncio.sleep(0)
        assert app.told == ["made", "pause"]
        assert await caller.read(written) == bytes(written)
        await wait_until(lambda: app.told == ["made", "pause", "resume"], "resumption")


async def test_aborted_it_is_lost_once(twin: Any) -> None:
    async with Door(twin) as door:
        caller, app = await door.pair()
        app.transport.abort()
        app.transport.close()
        app.transport.abort()
        await wait_until(lambda: "lost" in app.told, "the end")
        assert app.told == ["made", "lost"]
        with pytest.raises((EOFError, ConnectionResetError)):
            await caller.read(1)


@VERSIONS
async def test_sessions_are_resumed(twin: Any, version: ssl.TLSVersion) -> None:
    async with Door(twin) as door:
        first, _ = await door.pair(version)
        await first.send_raw(first.records(b"tickets"))
        assert await first.read(7) == b"tickets"
        again, _ = await door.pair(context=first.context, session=first.tls.session)
        assert again.tls.session_reused
        await again.send_raw(again.records(b"well"))
        assert await again.read(4) == b"well"


async def test_as_a_client(twin: Any) -> None:
    async with Door(twin) as door:
        failed: list[Exception] = []

        async def dial(app: App, name: str) -> None:
            loop = asyncio.get_running_loop()
            tls = twin(app, client_context(), name, loop.time() + PATIENCE, failed.append)
            await loop.create_connection(lambda: tls, "127.0.0.1", door.port)

        app, other = App(echo=False), App()
        await dial(app, "localhost")
        await wait_until(lambda: app.told, "connection_made")
        app.transport.write(b"hello")
        await wait_until(lambda: app.heard == b"hello", "the echo")
        app.transport.close()
        await wait_until(lambda: "lost" in app.told and "lost" in door.apps[0].told, "the end")
        assert door.apps[0].told == ["made", "eof", "lost"]
        await dial(other, "elsewhere")
        await wait_until(lambda: failed, "the failure")
        assert isinstance(failed[0], ssl.SSLCertVerificationError) and not other.told
        with pytest.raises(ValueError, match="label empty"):
            twin(other, client_context(), ".", 0.0, failed.append)


async def test_who_asks_for_new_keys_and_takes_no_answers_is_read_no_more(twin: Any, tmp_path: Path) -> None:
    context = client_context(ssl.TLSVersion.TLSv1_3)
    context.keylog_filename = str(tmp_path / "keys")
    async with Door(twin, echo=False) as door:
        caller, app = await door.pair(context=context, receive_buffer=4096)
        app.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        app.transport.set_write_buffer_limits(4096, 1024)
        log = (tmp_path / "keys").read_text()
        found = re.search(r"CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)", log)
        assert found is not None
        rekeyer, count = Rekeyer(bytes.fromhex(found[1])), 0
        while "pause" not in app.told:
            await caller.send_raw(rekeyer.update(b"x"))
            await asyncio.sleep(0)  # sending alone would not let the other side read
            count += 1
        heard = len(app.heard)
        await caller.send_raw(b"".join(rekeyer.update(b"x") for _ in range(500)))
        await door.pair()  # by then the loop has read whatever it wanted to
        assert unread(app.transport) > 20_000
        assert len(app.heard) - heard < 50
        reading = asyncio.create_task(caller.read(1))
        await wait_until(lambda: len(app.heard) == count + 500, "all of it")
        reading.cancel()
