"""HTTP clients that others wrote, unchanged, through the edge to servers that others wrote."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import httpx2
import niquests
import pytest
import pytest_asyncio

from tests.support.node_web import HELLO, PIECE
from tests.support.wait import PATIENCE, wait_until
from tests.thirdparty.http_stage import WebScene, run

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERSIONS = {
    "1.0": ["--http1.0"], "1.1": ["--http1.1"], "2": ["--http2-prior-knowledge"],
    "1.1 TLS": ["--http1.1", "--tls"], "2 TLS": ["--http2", "--tls"],
}
"""How curl is told which version to speak. --tls is ours."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebScene]:
    """An edge before a node on aiohttp and one on uvicorn; /pinned has both of them and a cookie."""
    scene = WebScene(tmp_path_factory.mktemp("web"))
    aio, = scene.web("aiohttp")
    asgi, = scene.web("uvicorn", server="uvicorn")
    pools = {pool: {"nodes": [{"name": node.name, "url": f"http://127.0.0.1:{node.port}"} for node in nodes]}
             for pool, nodes in {"aiohttp": [aio], "uvicorn": [asgi], "both": [aio, asgi]}.items()}
    await scene.open(scene.tree({
        "pools": {"tutors": None, **pools},
        "agents": {"tutor": None} | {name: {"pool": name} for name in pools},
        "routes": [{"match": {"path": f"/{name}"}, "agent": name} for name in ("aiohttp", "uvicorn")]
        + [{"match": {"path": "/pinned"}, "agent": "both", "session": {"cookie": "key"}},
           {"match": {"path": "/events"}, "agent": "both", "protocol": "sse"}],
    }))
    yield scene
    await scene.close()


@pytest.fixture(params=["aiohttp", "uvicorn"])
def base(request: pytest.FixtureRequest) -> str:
    """The path of one of the nodes."""
    return f"/{request.param}"


@pytest.fixture(params=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def curl(web: WebScene, version: str, *arguments: str, code: int = 0, reads: Path | None = None) -> str:
    """curl by one version of HTTP. Paths of the routes become URLs."""
    options, tls = [*VERSIONS[version]], "--tls" in VERSIONS[version]
    if tls:
        options[-1:] = ["--cacert", str(web.ca)]
    whole = [web.url(word, tls=tls) if word.startswith(("/aiohttp", "/uvicorn", "/pinned")) else word
             for word in arguments]
    return await run("curl", "-sS", "--max-time", "15", *options, *whole, code=code, reads=reads)


async def test_curl_asks_one_thing_after_the_other(web: WebScene, base: str, version: str) -> None:
    if version == "2":
        pytest.skip("curl 7.88 cannot do that without TLS, with no server")
    told = " %{http_code} %{http_version} %{num_connects}\n"
    said = await curl(web, version, "-w", told, f"{base}/hello", f"{base}/status/404", f"{base}/parts",
                      "-o", "-", "-o", "-", "-o", "/dev/null")
    # The answer's version is what the edge can do (RFC 9110 section 2.5); a client of 1.0 gets a connection each time.
    spoken, again = ("1.1", 1) if version == "1.0" else (version.removesuffix(" TLS"), 0)
    assert said == f"{HELLO} 200 {spoken} 1\n 404 {spoken} {again}\n 200 {spoken} {again}\n"


async def test_curl_gets_the_body_as_the_node_gave_it(web: WebScene, base: str, version: str, tmp_path: Path) -> None:
    got = tmp_path / "got"
    await curl(web, version, f"{base}/parts?count=200", "-o", str(got))
    assert got.read_bytes() == PIECE * 200
    await curl(web, version, f"{base}/big?size=3000000", "-o", str(got))
    assert got.read_bytes() == b"b" * 3_000_000
    head = (await curl(web, version, "-I", f"{base}/hello")).lower()
    assert f"content-length: {len(HELLO)}" in head and HELLO not in head
    assert "\nserver:" not in head


async def test_curl_uploads(web: WebScene, base: str, version: str, tmp_path: Path) -> None:
    body, got = tmp_path / "body", tmp_path / "got"
    body.write_bytes(PIECE * 2000)
    # Curl sends Expect: 100-continue over HTTP/1.1 with bodies of more than 1 MiB.
    said = await curl(web, version, "-v", "--data-binary", f"@{body}", f"{base}/echo", "-o", str(got))
    assert got.read_bytes() == body.read_bytes()
    assert ("100 Continue" in said) is ("1.1" in version)
    if version != "1.0":  # which knows no chunks
        await curl(web, version, "-T", "-", f"{base}/take", "-o", str(got), reads=body)
        assert got.read_text() == str(body.stat().st_size)


async def test_curl_is_not_led_to_another_version_by_upgrade(web: WebScene) -> None:
    told = "%{http_code} %{http_version}"
    assert await run("curl", "-sS", "--http2", "-o", "/dev/null", "-w", told, web.url("/aiohttp/hello")) == "200 1.1"


async def test_curl_in_parallel_on_one_connection(web: WebScene) -> None:
    paths = [web.url(f"/uvicorn/events?count=10&every=0.02&{number}", tls=True) for number in range(20)]
    said = await run("curl", "-sS", "--http2", "--cacert", str(web.ca), "-Z", "--parallel-max", "20", *paths,
                     "-w", "connects %{num_connects} code %{http_code}\n")
    assert said.count("code 200") == 20
    assert said.count("data: 10 uvicorn") == 20
    assert sum(map(int, re.findall(r"connects (\d+)", said))) == 1


async def test_curl_keeps_its_session_by_a_cookie(web: WebScene, version: str, tmp_path: Path) -> None:
    jar = tmp_path / "jar"
    nodes = set()
    owner = (await curl(web, version, "-c", str(jar), "/pinned/login")).strip()
    for _ in range(4):
        nodes.add(json.loads(await curl(web, version, "-b", str(jar), "-c", str(jar), "/pinned/look"))["node"])
    assert nodes == {owner}


async def test_a_slow_curl_slows_nobody_else(web: WebScene) -> None:
    slow = asyncio.create_task(run("curl", "-sS", "--http2", "--cacert", str(web.ca), "--limit-rate", "2M", "-o",
                                   "/dev/null", "-w", "%{size_download}",
                                   web.url("/aiohttp/big?size=3000000", tls=True)))
    rounds = 0
    while not slow.done():
        assert await curl(web, "2", "/aiohttp/hello", "--max-time", "2") == HELLO
        rounds += 1
    assert await slow == "3000000"
    assert rounds >= 3


async def test_curl_that_gives_up_is_noticed_at_the_node(web: WebScene, version: str) -> None:
    before = len(web.nodes["aiohttp"].history("left"))
    await curl(web, version, "/aiohttp/events?count=1000&every=0.05", "--max-time", "0.4", "-o", "/dev/null", code=28)
    await wait_until(lambda: len(web.nodes["aiohttp"].history("left")) > before, "the node sees that nobody listens")


async def test_nghttp(web: WebScene, base: str, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(PIECE * 300)
    paths = [web.url(f"{base}/{what}", tls=True) for what in ("hello", "parts?count=100", "events?count=5", "look")]
    said = await run("nghttp", "-nv", "--no-verify-peer", *paths)
    assert said.count(":status: 200") == 4 and "RST_STREAM" not in said
    said = await run("nghttp", "-v", "--no-verify-peer", "--continuation", "--trailer", "after: all", "-d",
                     str(body), web.url(f"{base}/take", tls=True))
    assert str(body.stat().st_size) in said and ":status: 200" in said


@pytest.mark.parametrize(("options", "path"), [
    (["-n1000", "-c4", "-m16"], "hello"), (["-n400", "-c4", "--h1"], "hello"),
    (["-n60", "-c2", "-m8"], "parts?count=50"), (["-n60", "-c2", "-m8", "-w16"], "big?size=200000"),
])
@pytest.mark.parametrize("tls", [False, True])
async def test_h2load(web: WebScene, options: list[str], path: str, tls: bool) -> None:
    count = options[0][2:]
    said = await run("h2load", *options, web.url(f"/aiohttp/{path}", tls=tls))
    assert f"{count} succeeded, 0 failed, 0 errored" in said
    assert f"{count} 2xx" in said


async def test_h2load_uploads(web: WebScene, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(PIECE * 100)
    said = await run("h2load", "-n60", "-c2", "-m8", "-d", str(body), web.url("/uvicorn/echo", tls=True))
    assert "60 succeeded, 0 failed, 0 errored" in said


async def test_wrk(web: WebScene, base: str) -> None:
    said = await run("wrk", "-t1", "-c8", "-d1s", web.url(f"{base}/hello"))
    assert "Socket errors" not in said and "Non-2xx" not in said
    assert "requests in" in said


async def test_niquests_multiplexes(web: WebScene, base: str) -> None:
    def ask() -> tuple[list[int], set[object]]:
        with niquests.Session(multiplexed=True) as http:
            http.verify, http.trust_env = str(web.ca), False
            answers = [http.get(web.url(f"{base}/events?count=4", tls=True)) for _ in range(12)]
            http.gather(*answers)
            assert all(answer.text is not None and answer.text.count("data: ") == 4 for answer in answers)
            return [answer.status_code or 0 for answer in answers], {answer.http_version for answer in answers}
    assert await asyncio.to_thread(ask) == ([200] * 12, {20})


async def test_niquests_streams_both_ways(web: WebScene, base: str) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield PIECE
    async with niquests.AsyncSession() as http:
        http.verify, http.trust_env = str(web.ca), False
        answer = await http.post(web.url(f"{base}/echo", tls=True), data=body(), stream=True)
        assert b"".join([piece async for piece in await answer.iter_content(4096)]) == PIECE * 50
        assert (await http.get(web.url(f"{base}/hello", tls=True))).text == HELLO


async def test_niquests_hears_events(web: WebScene, base: str) -> None:
    async with niquests.AsyncSession() as http:
        http.verify, http.trust_env = str(web.ca), False
        url = web.url(f"{base}/events?count=5", tls=True).replace("https://", "sse://")
        answer = await http.get(url)
        assert answer.extension is not None
        heard = []
        while (event := await answer.extension.next_payload()) is not None:
            heard.append((event.id, event.data))
        assert heard == [(str(number), f"{number} {base[1:]}") for number in range(1, 6)]


async def test_aiohttp(web: WebScene, base: str) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield PIECE
    async def in_turns() -> AsyncIterator[bytes]:
        for turn in (b"one\n", b"two\n", b"three\n"):
            yield turn
            assert await heard.get() == turn  # the answer to what was said is there before the rest is said
    trusts, heard = ssl.create_default_context(cafile=str(web.ca)), asyncio.Queue[bytes]()
    for tls in (False, True):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusts)) as http:
            answer = await http.post(web.url(f"{base}/echo", tls=tls), data=body(), expect100=True)
            assert await answer.read() == PIECE * 100
            async with http.get(web.url(f"{base}/events?count=3", tls=tls)) as answer:
                assert [line async for line in answer.content if line.startswith(b"data")] == [
                    f"data: {number} {base[1:]}\n".encode() for number in (1, 2, 3)]
            async with http.post(web.url(f"{base}/echo", tls=tls), data=in_turns()) as answer:
                async for line in answer.content:
                    heard.put_nowait(line)
            async with http.ws_connect(web.url(f"{base}/ws", tls=tls)) as socket:
                await socket.send_str("hello")
                assert await socket.receive_str(timeout=PATIENCE) == "hello"


@pytest.mark.parametrize("http2", [False, True])
async def test_httpx2(web: WebScene, base: str, http2: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield PIECE
    trusts = ssl.create_default_context(cafile=str(web.ca))
    async with httpx2.AsyncClient(verify=trusts, http2=http2, timeout=PATIENCE) as http:
        answers = await asyncio.gather(*(http.get(web.url(f"{base}/parts?count=40", tls=True)) for _ in range(10)))
        assert {answer.http_version for answer in answers} == {"HTTP/2" if http2 else "HTTP/1.1"}
        assert all(answer.content == PIECE * 40 for answer in answers)
        assert (await http.post(web.url(f"{base}/echo", tls=True), content=body())).content == PIECE * 100
        async with http.stream("GET", web.url(f"{base}/events?count=3", tls=True)) as answer:
            lines = [line async for line in answer.aiter_lines() if line.startswith("data")]
        assert lines == [f"data: {number} {base[1:]}" for number in (1, 2, 3)]


async def test_what_a_node_sees_is_what_was_asked(web: WebScene, base: str, version: str) -> None:
    said = await curl(web, version, "-H", "X-Own: yes", "-H", "Session-Principal: me", "-H", "Accept: a/b",
                      "-H", "X-Forwarded-For: 6.6.6.6", f"{base}/look?a=%20b&c=d%2Fe")
    seen = json.loads(said)
    fields = dict(seen["headers"])
    assert (seen["method"], seen["path"]) == ("GET", f"{base}/look?a=%20b&c=d%2Fe")
    assert (fields["x-own"], fields["accept"], fields["x-forwarded-for"]) == ("yes", "a/b", "127.0.0.1")
    assert fields["x-forwarded-proto"] == ("https" if "TLS" in version else "http")
    assert "session-principal" not in fields
    assert len([name for name, _ in seen["headers"] if name == "host"]) == 1
