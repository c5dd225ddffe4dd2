"""Who comes to a door of operators or nodes and does not ask."""

import asyncio

from aiohttp import web

from sbc.wire.aiohttp_doors import Patience
from tests.support.wait import PATIENCE, wait_until

WAIT = 0.2


async def test_who_does_not_ask_is_sent_away_and_who_is_answered_is_not() -> None:
    patience, asked = Patience(WAIT), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.sleep(5 * WAIT)
        return web.Response(text="done")

    app = web.Application(middlewares=[patience.guard])
    app.add_routes([web.get("/slow", slow)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    assert runner.server is not None
    patience.watch(runner.server)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(asked.wait(), PATIENCE)
        for early in (b"", b"GET /slow HT", b"GET /slow HTTP/1.1\r\nHost: x\r\n"):
            silent, other = await asyncio.open_connection(host, port)
            other.write(early)
            assert await asyncio.wait_for(silent.read(), PATIENCE) == b""
            other.close()
        answer = await asyncio.wait_for(reader.readuntil(b"done"), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 200")
        # It asks for nothing more, and is sent away, too.
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()
        server = runner.server
        await wait_until(lambda: not server.connections, "connections that are left")
    finally:
        patience.stop()
        await runner.cleanup()
