"""A browser's WebTransport through the edge: messages on streams and in datagrams."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.wait import wait_until
from tests.thirdparty.browser import PROGRAM
from tests.thirdparty.test_http3_browser import pages

__all__ = ["pages"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"),
              pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")]

SESSION = """
(async () => {
    window.messages = [];
    window.datagrams = [];
    window.session = new WebTransport(`https://${location.host}PATH`);
    await session.ready;
    window.ended = session.closed.then(how => how, error => ({closeCode: -1, reason: `${error}`}));
    (async () => {
        for await (const stream of session.incomingBidirectionalStreams)
            messages.push(await new Response(stream.readable).text());
    })().catch(() => 0);
    (async () => {
        for await (const message of session.datagrams.readable) datagrams.push(new TextDecoder().decode(message));
    })().catch(() => 0);
    window.say = async text => {
        const stream = await session.createBidirectionalStream();
        const writer = stream.writable.getWriter();
        await writer.write(new TextEncoder().encode(text));
        await writer.close();
    };
    return 'ready';
})()
"""


async def session(page: Any, path: str = "/raw/ws") -> None:
    assert await page.visit() == "h3"
    assert await page.browser.run(SESSION.replace("PATH", path)) == "ready"


async def told(page: Any, count: int, what: str = "messages") -> list[str]:
    async def enough() -> Any:
        return await page.browser.run(f"{what}.length >= {count} ? {what} : null")
    return list(await wait_until(enough, f"{count} {what}"))


async def test_messages_in_order(pages: Callable[..., Any]) -> None:
    page = await pages()
    await session(page)
    await page.browser.run("(async () => { for (let n = 0; n < 300; n++) await say(`message ${n}`); })()")
    assert await told(page, 300) == [f"message {n}" for n in range(300)]
    await page.browser.run("say('x'.repeat(200000))")
    assert len((await told(page, 301))[300]) == 200_000
    await page.browser.run("session.close({closeCode: 4000, reason: 'done'})")
    assert await page.browser.run("ended") is not None


async def test_datagrams(pages: Callable[..., Any]) -> None:
    page = await pages()
    await session(page, "/raw/ws?datagrams=1")
    await page.browser.run("""(async () => {
        const writer = session.datagrams.writable.getWriter();
        for (let n = 0; n < 10; n++) await writer.write(new TextEncoder().encode(`datagram ${n}`));
    })()""")
    assert set(await told(page, 1, "datagrams")) <= {f"datagram {n}" for n in range(10)}
    await page.browser.run("say('on a stream, answered by a datagram')")
    assert (await wait_until(lambda: told(page, 2, "datagrams"), "the answer"))


async def test_a_page_that_is_left(pages: Callable[..., Any]) -> None:
    page = await pages()
    await session(page)
    await page.browser.run("say('one')")
    await told(page, 1)
    assert await page.visit(1) == "h3"
    await session(page)
    await page.browser.run("say('two')")
    assert await told(page, 1) == ["two"]
