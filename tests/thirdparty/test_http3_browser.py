"""A browser on HTTP/3: pages, fetch and EventSource while nodes are killed; how it comes to HTTP/3 by itself.

Chromium speaks QUIC to a server of unknown authority only if it is told its key, and only on a host that it is told to
speak QUIC to at once, on whatever port: on another one it has to learn of it by Alt-Svc.
"""

import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.wait import wait_until
from tests.thirdparty.browser import PROGRAM, Browser
from tests.thirdparty.http_stage import WebScene
from tests.thirdparty.test_eventsource import COUNT, LISTEN

pytestmark = [pytest.mark.asyncio(loop_scope="module"),
              pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")]
PROTOCOL = "performance.getEntriesByType('navigation')[0].nextHopProtocol"


def fingerprint(certificate: Path) -> str:
    """Of its key, as Chromium wants it."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Page(WebScene):
    """An edge and a browser."""

    browser: Browser

    async def visit(self, number: int = 0) -> str:
        """A page of the edge's: how it was fetched."""
        await self.browser.go(self.url(f"/page/hello?{number}", tls=True))
        return str(await self.browser.run(PROTOCOL))

    async def whole(self) -> None:
        for node in self.nodes.values():
            if not node.running:
                node.start()
            await node.serving()
        await self.edge.sees(*self.nodes.values())

    async def hears(self, count: int) -> list[str]:
        async def enough() -> Any:
            heard = await self.browser.run("window.heard")
            return heard if len(heard) >= count else None
        return list(await wait_until(enough, f"{count} events"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[int], Any]]:
    """Gives pages whose browser speaks QUIC at once on a port."""
    scene = Page(tmp_path_factory.mktemp("page3"))
    scene.web("a")
    scene.web("b", server="uvicorn")
    try:
        await scene.open(scene.tree({
            "routes": [{"match": {"path": "/"}, "agent": "tutor", "protocol": "sse"},
                       {"match": {"path": "/raw"}, "agent": "tutor", "protocol": "opaque"}]}, quic=True), hold="10s")
        async with AsyncExitStack() as stack:
            browsers: dict[int, Browser] = {}

            async def page(port: int) -> Page:
                await scene.whole()
                if port not in browsers:
                    browsers[port] = Browser(
                        scene.directory / f"browser-{port}", f"--origin-to-force-quic-on=localhost:{port}",
                        f"--ignore-certificate-errors-spki-list={fingerprint(scene.directory / 'cert.pem')}",
                        "--host-resolver-rules=MAP localhost 127.0.0.1")
                    await browsers[port].start()
                    stack.push_async_callback(browsers[port].stop)
                scene.browser = browsers[port]
                return scene
            yield lambda port=0: page(port or scene.secure)
    finally:
        await scene.close()


async def test_every_event_once(pages: Callable[..., Any]) -> None:
    page = await pages()
    assert await page.visit() == "h3"
    await page.browser.run(LISTEN.replace("PATH", f"'/s/events?count={COUNT}&every=0.02'"))
    heard = await page.hears(COUNT)
    assert [int(data.split()[0]) for data in heard] == list(range(1, COUNT + 1))
    assert await page.browser.run("errors") == 0


async def test_the_owner_of_a_stream_is_killed(pages: Callable[..., Any]) -> None:
    page = await pages()
    assert await page.visit() == "h3"
    await page.browser.run(LISTEN.replace("PATH", f"'/s/events?count={COUNT}&every=0.05'"))
    owner = (await page.hears(5))[-1].split()[1]
    page.nodes[owner].kill()
    heard = await page.hears(COUNT)
    assert [int(data.split()[0]) for data in heard] == list(range(1, COUNT + 1))
    assert heard[-1].split()[1] != owner
    assert await page.browser.run("errors") == 0


async def test_fetch(pages: Callable[..., Any]) -> None:
    page = await pages()
    assert await page.visit() == "h3"
    said = await page.browser.run("""
        Promise.all([...Array(60).keys()].map(async n => {
            const answer = await fetch(`/raw/echo`, {method: 'POST', body: 'x'.repeat(n * 1000)});
            return (await answer.text()).length;
        }))""")
    assert said == [n * 1000 for n in range(60)]
    assert await page.browser.run("fetch('/raw/big?size=4000000').then(a => a.arrayBuffer()).then(b => b.byteLength)"
                                  ) == 4_000_000
    assert await page.browser.run("fetch('/raw/status/404').then(a => a.status)") == 404
    used = await page.browser.run("[...new Set(performance.getEntriesByType('resource').map(e => e.nextHopProtocol))]")
    assert used == ["h3"]


async def test_a_websocket_beside_it(pages: Callable[..., Any]) -> None:
    """This browser has none over HTTP/3 (RFC 9220): it makes a connection of its own for it."""
    page = await pages()
    assert await page.visit() == "h3"
    assert await page.browser.run("""new Promise((done, failed) => {
        const socket = new WebSocket(`wss://${location.host}/raw/ws`);
        socket.onopen = () => socket.send('hello');
        socket.onmessage = event => { done(event.data); socket.close(); };
        socket.onerror = () => failed('error');
    })""") == "hello"


async def test_it_finds_its_way_by_alt_svc(pages: Callable[..., Any]) -> None:
    page = await pages(1)
    assert await page.visit() == "h2"

    async def upgraded() -> bool:
        return await page.visit() == "h3"
    await wait_until(upgraded, "pages come over HTTP/3")
