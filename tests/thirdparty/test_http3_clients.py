"""HTTP/3 clients that others wrote, unchanged, through the edge to servers that others wrote."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from types import ModuleType
from typing import Any

import aioquic.asyncio
import aioquic.h3.connection
import aioquic.h3.events
import aioquic.quic.configuration
import niquests
import pytest
import pytest_asyncio
import qh3.asyncio
import qh3.h3.connection
import qh3.h3.events
import qh3.quic.configuration

from tests.support.node_web import HELLO, PIECE
from tests.support.wait import PATIENCE
from tests.thirdparty.http_stage import WebScene, run

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIBRARIES = {"aioquic": aioquic, "qh3": qh3}
HTTP3 = 30
"""How niquests and curl call it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["qh3", "aioquic"])
async def web(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[WebScene]:
    """An edge with one of its engines, before a node on aiohttp and one on uvicorn."""
    scene = WebScene(tmp_path_factory.mktemp("web3"))
    scene.web("aiohttp")
    scene.web("uvicorn", server="uvicorn")
    try:
        await scene.open(scene.tree({
            "edge": {"quic_engine": request.param},
            "routes": [{"match": {"path": "/"}, "agent": "tutor", "protocol": "opaque"},
                       {"match": {"path": "/events"}, "agent": "tutor", "protocol": "sse"}]}, quic=True))
        yield scene
    finally:
        await scene.close()


# The asyncio clients of aioquic and qh3, written as their examples are.

def example(library: ModuleType) -> type[Any]:
    """The client of examples/http3_client.py, for one library or the other."""

    class HttpClient(library.asyncio.QuicConnectionProtocol):  # type: ignore[misc]
        def __init__(self, *how: Any, **more: Any) -> None:
            super().__init__(*how, **more)
            self.http = library.h3.connection.H3Connection(self._quic)
            self.answers: dict[int, list[Any]] = {}
            self.waiting: dict[int, asyncio.Future[list[Any]]] = {}

        async def ask(self, authority: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
            number = self._quic.get_next_available_stream_id()
            head = [(b":method", b"GET" if body is None else b"POST"), (b":scheme", b"https"),
                    (b":authority", authority.encode()), (b":path", path.encode()), (b"user-agent", b"an example")]
            self.http.send_headers(stream_id=number, headers=head, end_stream=body is None)
            if body is not None:
                self.http.send_data(stream_id=number, data=body, end_stream=True)
            self.answers[number] = []
            self.waiting[number] = self._loop.create_future()
            self.transmit()
            events = await asyncio.shield(self.waiting[number])
            status = next(int(dict(event.headers)[b":status"]) for event in events if hasattr(event, "headers"))
            return status, b"".join(event.data for event in events if hasattr(event, "data"))

        def quic_event_received(self, event: Any) -> None:
            for happened in self.http.handle_event(event):
                if isinstance(happened, library.h3.events.HeadersReceived | library.h3.events.DataReceived):
                    self.answers[happened.stream_id].append(happened)
                    if happened.stream_ended:
                        self.waiting[happened.stream_id].set_result(self.answers[happened.stream_id])

    return HttpClient


@pytest.mark.parametrize("name", LIBRARIES)
async def test_the_examples(web: WebScene, name: str) -> None:
    library = LIBRARIES[name]
    config = library.quic.configuration.QuicConfiguration(is_client=True, alpn_protocols=["h3"])
    config.load_verify_locations(str(web.ca))
    authority = f"localhost:{web.secure}"
    async with asyncio.timeout(PATIENCE), library.asyncio.connect(
            "localhost", web.secure, configuration=config, create_protocol=example(library)) as client:
        assert await client.ask(authority, "/hello") == (200, HELLO.encode())
        assert await client.ask(authority, "/echo", PIECE * 100) == (200, PIECE * 100)
        assert await client.ask(authority, "/status/404") == (404, b"")
        answers = await asyncio.gather(*(client.ask(authority, f"/parts?count={n}") for n in range(40)))
        assert answers == [(200, PIECE * n) for n in range(40)]
        _, big = await client.ask(authority, "/big?size=3000000")
        assert len(big) == 3_000_000
        await client.ping()
        client.request_key_update()
        assert (await client.ask(authority, "/hello"))[0] == 200
        client.change_connection_id()
        assert (await client.ask(authority, "/hello"))[0] == 200
        status, seen = await client.ask(authority, "/look?a=%20b")
        fields = dict(json.loads(seen)["headers"])
        assert (status, fields["host"], fields["x-forwarded-proto"]) == (200, authority, "https")


async def test_a_session_is_resumed(web: WebScene) -> None:
    """With the ticket of the first connection. No early data is promised, so none is lost."""
    tickets: list[Any] = []
    for _ in range(2):
        config = aioquic.quic.configuration.QuicConfiguration(
            is_client=True, alpn_protocols=["h3"], session_ticket=tickets[-1] if tickets else None)
        config.load_verify_locations(str(web.ca))
        async with asyncio.timeout(PATIENCE), aioquic.asyncio.connect(
                "localhost", web.secure, configuration=config, create_protocol=example(aioquic),
                session_ticket_handler=tickets.append) as client:
            assert (await client.ask("localhost", "/hello"))[0] == 200
    assert all(not ticket.max_early_data_size for ticket in tickets)


# niquests, over urllib3.future.

def session(web: WebScene, kind: type[Any], **how: Any) -> Any:
    http = kind(**how)
    http.verify, http.trust_env = str(web.ca), False
    http.quic_cache_layer.add_domain("localhost", web.secure)
    return http


async def test_niquests(web: WebScene) -> None:
    def ask() -> None:
        with session(web, niquests.Session, multiplexed=True) as http:
            answers = [http.get(web.url("/events?count=4", tls=True)) for _ in range(12)]
            http.gather(*answers)
            assert {(answer.status_code, answer.http_version) for answer in answers} == {(200, HTTP3)}
            assert all(answer.text.count("data: ") == 4 for answer in answers)
    await asyncio.to_thread(ask)


async def test_niquests_streams(web: WebScene) -> None:
    """One way at a time, and without its event loop: else it stalls now and then, with any proxy (seen with Envoy and
    Caddy)."""
    def ask() -> None:
        with session(web, niquests.Session) as http:
            answer = http.post(web.url("/echo", tls=True), data=PIECE * 50)
            assert (answer.http_version, answer.content) == (HTTP3, PIECE * 50)
            answer = http.get(web.url("/parts?count=50", tls=True), stream=True)
            assert b"".join(answer.iter_content(4096)) == PIECE * 50
            assert http.get(web.url("/hello", tls=True)).text == HELLO
    await asyncio.to_thread(ask)


async def test_niquests_finds_its_way_by_alt_svc(web: WebScene) -> None:
    """The first answer, over TCP, says that there is HTTP/3: the second one is asked for there."""
    async with niquests.AsyncSession() as http:
        http.verify, http.trust_env = str(web.ca), False
        first = await http.get(web.url("/hello", tls=True))
        assert first.http_version == 20
        assert f':{web.secure}"' in first.headers["alt-svc"] and first.headers["alt-svc"].startswith("h3=")
        second = await http.get(web.url("/hello", tls=True))
        assert (second.text, second.http_version) == (HELLO, HTTP3)


# ngtcp2, below curl and alone.

def curl(web: WebScene, path: str, more: Callable[[Any], None] = lambda handle: None) -> tuple[int, int, bytes]:
    """Status, version and body, over HTTP/3 alone. Skips the test where pycurl has none."""
    pycurl = pytest.importorskip("pycurl")
    if "nghttp3" not in pycurl.version:
        pytest.skip("this curl has no HTTP/3")
    handle, said = pycurl.Curl(), BytesIO()
    handle.setopt(pycurl.URL, web.url(path, tls=True))
    handle.setopt(pycurl.CAINFO, str(web.ca))
    handle.setopt(pycurl.HTTP_VERSION, 31)  # HTTP/3 or nothing
    handle.setopt(pycurl.RESOLVE, [f"localhost:{web.secure}:127.0.0.1"])
    handle.setopt(pycurl.WRITEDATA, said)
    handle.setopt(pycurl.TIMEOUT, 15)
    handle.setopt(pycurl.PROXY, "")
    more(handle)
    handle.perform()
    answer = handle.getinfo(pycurl.RESPONSE_CODE), handle.getinfo(pycurl.INFO_HTTP_VERSION), said.getvalue()
    handle.close()
    return answer


async def test_curl(web: WebScene) -> None:
    def upload(handle: Any) -> None:
        handle.setopt(handle.POST, 1)
        handle.setopt(handle.POSTFIELDS, b"x" * 500_000)
    assert await asyncio.to_thread(curl, web, "/hello") == (200, HTTP3, HELLO.encode())
    status, _, body = await asyncio.to_thread(curl, web, "/big?size=5000000")
    assert (status, len(body)) == (200, 5_000_000)
    assert await asyncio.to_thread(curl, web, "/echo", upload) == (200, HTTP3, b"x" * 500_000)
    assert (await asyncio.to_thread(curl, web, "/events?count=5"))[2].count(b"data: ") == 5


async def test_gtlsclient(web: WebScene) -> None:
    said = await run("gtlsclient", "--exit-on-all-streams-close", "127.0.0.1", str(web.secure),
                     web.url("/hello", tls=True))
    assert ":status: 200" in said
