"""A browser's EventSource, fetch and WebSocket through the edge, over HTTP/1.1 and HTTP/2, while nodes are killed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.nodes import NodeProcess
from tests.support.wait import wait_until
from tests.thirdparty.browser import PROGRAM, Browser, Cable
from tests.thirdparty.http_stage import WebScene

pytestmark = [pytest.mark.asyncio(loop_scope="module"),
              pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")]

COUNT = 30
LISTEN = """
    window.heard = []; window.errors = 0;
    window.source = new EventSource(PATH);
    source.onmessage = event => { heard.push(event.data); if (heard.length == COUNT) source.close(); };
    source.onerror = () => { errors += 1; };
    1
""".replace("COUNT", str(COUNT))


class Page(WebScene):
    browser: Browser
    plain: Cable
    tls: Cable

    async def visit(self, *, secure: bool) -> Cable:
        """A page of the edge's: the cable by which the browser reaches it."""
        cable = self.tls if secure else self.plain
        await self.browser.go(f"{'https' if secure else 'http'}://localhost:{cable.port}/page/hello")
        return cable

    async def whole(self) -> None:
        for node in self.nodes.values():
            if not node.running:
                node.start()
            await node.serving()
        await self.edge.sees(*self.nodes.values())

    async def heard(self) -> list[str]:
        heard: list[str] = await self.browser.run("window.heard")
        return heard

    async def hears(self, count: int) -> list[str]:
        async def enough() -> list[str] | None:
            heard = await self.heard()
            return heard if len(heard) >= count else None
        heard: Any = await wait_until(enough, f"{count} events")
        return list(heard)

    def owner(self, heard: list[str]) -> NodeProcess:
        return self.nodes[heard[-1].split()[1]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    scene = Page(tmp_path_factory.mktemp("page"))
    scene.web("a")
    scene.web("b", server="uvicorn")
    await scene.open(scene.tree({
        "routes": [{"match": {"path": "/"}, "agent": "tutor", "protocol": "sse"},
                   {"match": {"path": "/keyed"}, "agent": "tutor", "protocol": "sse", "session": {"query": "page"}},
                   {"match": {"path": "/raw"}, "agent": "tutor", "protocol": "opaque"}]}), hold="10s")
    scene.plain, scene.tls = Cable(scene.edge.port), Cable(scene.secure)
    scene.browser = Browser(scene.directory / "browser")
    await scene.plain.start()
    await scene.tls.start()
    await scene.browser.start()
    yield scene
    await scene.browser.stop()
    scene.plain.stop()
    scene.tls.stop()
    await scene.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(opened: Page) -> Page:
    await opened.whole()
    return opened


@pytest.mark.parametrize("ids", ["1", "0"])
@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
async def test_every_event_once(page: Page, secure: bool, ids: str) -> None:
    await page.visit(secure=secure)
    await page.browser.run(LISTEN.replace("PATH", f"'/s/events?count={COUNT}&every=0.02&ids={ids}'"))
    heard = await page.hears(COUNT)
    assert [int(data.split()[0]) for data in heard] == list(range(1, COUNT + 1))
    assert await page.browser.run("errors") == 0
    used = await page.browser.run("performance.getEntriesByType('navigation')[0].nextHopProtocol")
    assert used == ("h2" if secure else "http/1.1")


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
async def test_the_owner_of_a_stream_is_killed(page: Page, secure: bool) -> None:
    await page.visit(secure=secure)
    await page.browser.run(LISTEN.replace("PATH", f"'/s/events?count={COUNT}&every=0.05'"))
    owner = page.owner(await page.hears(5))
    owner.kill()
    heard = await page.hears(COUNT)
    assert [int(data.split()[0]) for data in heard] == list(range(1, COUNT + 1))
    assert page.owner(heard) is not owner
    assert await page.browser.run("errors") == 0


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
async def test_a_page_comes_back_to_its_session_when_its_connection_was_cut(page: Page, secure: bool) -> None:
    """The node gives no ids: the edge knows what the page has, and what was said while it was away."""
    cable = await page.visit(secure=secure)
    where = f"'/keyed/events?page={secure}&count={COUNT}&every=0.1&ids=0'"
    await page.browser.run(LISTEN.replace("PATH", where))
    first = await page.hears(5)
    cable.cut()
    heard = await page.hears(COUNT)
    assert [int(data.split()[0]) for data in heard] == list(range(1, COUNT + 1))
    assert {data.split()[1] for data in heard} == {first[0].split()[1]}
    assert await page.browser.run("errors") >= 1


async def test_a_page_without_a_key_comes_back_to_any_node(page: Page) -> None:
    """The ids are the nodes' own, and any of them goes on after one."""
    cable = await page.visit(secure=True)
    await page.browser.run(LISTEN.replace("PATH", f"'/s/events?count={COUNT}&every=0.02'"))
    await page.hears(5)
    cable.cut()
    heard = await page.hears(COUNT)
    assert [int(data.split()[0]) for data in heard] == list(range(1, COUNT + 1))


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
async def test_fetch_reads_what_is_there(page: Page, secure: bool) -> None:
    await page.visit(secure=secure)
    said = await page.browser.run("""(async () => {
        const answer = await fetch('/raw/events?count=5&every=0.1'), reader = answer.body.getReader(), times = [];
        for (;;) {
            const {done, value} = await reader.read();
            if (done) return times;
            times.push(performance.now());
        }
    })()""")
    assert len(said) >= 4 and said[-1] - said[0] > 200


async def test_fetch_sends_a_stream_over_http2(page: Page) -> None:
    await page.visit(secure=True)
    said = await page.browser.run("""(async () => {
        const body = new ReadableStream({async start(out) {
            for (let turn = 0; turn < 5; turn += 1) {
                out.enqueue(new TextEncoder().encode('x'.repeat(1000)));
                await new Promise(done => setTimeout(done, 20));
            }
            out.close();
        }});
        return await (await fetch('/raw/take', {method: 'POST', body, duplex: 'half'})).text();
    })()""")
    assert said == "5000"


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
async def test_a_websocket(page: Page, secure: bool) -> None:
    cable = await page.visit(secure=secure)
    before = cable.connections
    said = await page.browser.run("""new Promise((done, fail) => {
        const heard = [], socket = new WebSocket(location.origin.replace('http', 'ws') + '/raw/ws');
        socket.onopen = () => { for (const text of ['one', 'two', 'y'.repeat(70000)]) socket.send(text); };
        socket.onmessage = event => { heard.push(event.data.length); if (heard.length == 3) socket.close(1000); };
        socket.onclose = event => done([...heard, event.code, event.wasClean]);
        socket.onerror = () => fail(new Error('socket'));
    })""")
    assert said == [3, 3, 70_000, 1000, True]
    # Over TLS it is a stream of the connection that the page came by (RFC 8441).
    assert (cable.connections == before) is secure
