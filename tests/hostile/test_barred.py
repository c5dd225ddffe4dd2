"""A source that misbehaves again and again is left outside for a while, by every door; its neighbours are served on."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.hostile.test_http2_floods import FLOODS, OPEN
from tests.support.h3_client import H3Client
from tests.support.raw import TEXT, RawClient, frame, upgrade
from tests.support.wait import PATIENCE, wait_until
from tests.thirdparty.http_stage import WebScene

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTS = (f"127.0.0.{number}" for number in range(20, 250))
PROXY, SPOKEN_FOR = "127.0.0.9", "198.51.100.7"
RULES = {"refuse": 100, "period": "10m", "exempt": [f"{PROXY}/32"]}


class Ground(WebScene):
    async def ask(self, address: str, *, tls: bool = False) -> int:
        """The status of a request that comes from there on a new connection. Raises OSError if there is no answer."""
        trust = ssl.create_default_context(cafile=str(self.ca)) if tls else None
        connector = aiohttp.TCPConnector(local_addr=(address, 0), ssl=trust or False)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as http, \
                http.get(self.url("/hello", tls=tls)) as answer:
            return answer.status

    async def left_outside(self, address: str, *, tls: bool = False) -> bool:
        try:
            await self.ask(address, tls=tls)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectorError, aiohttp.ClientOSError):
            return True
        return False

    async def flood(self, address: str, port: int, first: bytes = b"") -> None:
        """HTTP/2 that is ended for a flood."""
        client = await RawClient.connect(port, address)
        await client.send(first, OPEN)
        for piece in FLOODS["pings"]():
            if client.reader.at_eof():
                break
            await client.send(piece)
            await asyncio.sleep(0)
        client.abort()

    def told(self, event: str, source: str) -> list[dict[str, object]]:
        """What the log says of it."""
        lines = [json.loads(line) for line in self.edge.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event and line["source"] == source]

    async def change(self, abuse: dict[str, object], **plain: object) -> None:
        """Reload, with these rules, and this said of the plain listener."""
        tree = self.tree({"abuse": abuse}, quic=True)
        tree["listeners"][0] |= plain
        self.edge.configure(list(self.nodes.values()), tree)
        assert (await self.edge.post("/api/v1/reload"))[0] == 200


@pytest.fixture
def them() -> str:
    """A source that nobody knows yet."""
    return next(HOSTS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    stage = Ground(tmp_path_factory.mktemp("barred"))
    stage.web("a")
    await stage.open(stage.tree({"abuse": RULES}, quic=True))
    yield stage
    assert "Traceback" not in stage.edge.log(), stage.edge.log()
    await stage.close()


@pytest_asyncio.fixture(loop_scope="session")
async def ground(edge: Ground) -> AsyncIterator[Ground]:
    """The edge, which is as it was before when the test is over."""
    yield edge
    await edge.change(RULES)


async def test_a_source_of_floods_is_left_outside_by_every_door_and_nobody_else_is(ground: Ground, them: str) -> None:
    assert await ground.ask(them) == await ground.ask(them, tls=True) == 200
    trust = ground.ca.read_bytes()
    (await H3Client.connect(ground.secure, source=them, trust=trust)).close()
    await ground.flood(them, ground.edge.port)
    assert await ground.ask(them) == 200  # once may be a mistake
    await ground.flood(them, ground.edge.port)
    assert await ground.left_outside(them) and await ground.left_outside(them, tls=True)
    outside = H3Client(trust=trust)
    outside.begin(ground.secure, source=them)
    dropped = ground.edge.metric
    await wait_until(lambda: _is_one(dropped("sbc_quic_datagrams_dropped_total", reason="barred")), "no answer by QUIC")
    assert not outside.shaken
    outside.drop()
    assert await ground.ask("127.0.0.3") == await ground.ask("127.0.0.3", tls=True) == 200
    (await H3Client.connect(ground.secure, source="127.0.0.3", trust=trust)).close()
    assert await ground.edge.metric("sbc_abuse_total", kind="barred") >= 3


async def _is_one(value: object) -> bool:
    return await value >= 1  # type: ignore[misc, no-any-return]


async def test_operators_are_told_once_see_who_it_is_and_can_pardon(ground: Ground, them: str) -> None:
    for _ in range(2):
        await ground.flood(them, ground.edge.port)
    for _ in range(5):
        assert await ground.left_outside(them)
    [line] = ground.told("source_barred", them)
    assert line["kind"] == "h2_ping_flood" and line["listener"] == "plain"
    _, answer = await ground.edge.get("/api/v1/abuse")
    [row] = [row for row in answer["sources"] if row["source"] == them]
    assert row["standing"] == "barred" and 120 < row["score"] <= 140
    assert row["kind"] == "h2_ping_flood"
    assert (await ground.edge.get(f"/api/v1/abuse/{them}", "DELETE"))[0] == 200
    assert (await ground.edge.get(f"/api/v1/abuse/{them}", "DELETE"))[0] == 404
    assert await ground.ask(them) == 200


async def test_after_its_time_it_is_let_in(ground: Ground, them: str) -> None:
    await ground.change(RULES | {"period": "1s"})
    for _ in range(2):
        await ground.flood(them, ground.edge.port)
    await wait_until(lambda: _served(ground, them), "it is let in again")


async def _served(ground: Ground, source: str) -> bool:
    return not await ground.left_outside(source)


async def test_broken_requests_websockets_and_handshakes_add_up(ground: Ground, them: str) -> None:
    for number in range(8):
        client = await RawClient.connect(ground.edge.port, them)
        await client.send((b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"G\x00T / HTTP/1.1\r\n\r\n")[number % 2])
        answer = await client.head()
        assert answer is not None and answer.status == 400
        client.abort()
    websocket = await RawClient.connect(ground.edge.port, them)
    await websocket.send(upgrade("/ws"))
    answer = await websocket.head()
    assert answer is not None and answer.status == 101
    await websocket.send(frame(TEXT, b"x", rsv=7))
    assert await websocket.close_code() == 1002
    for _ in range(3):
        client = await RawClient.connect(ground.secure, them)
        await client.send(b"this is no TLS at all")
        await client.reader.read()
        client.abort()
    assert await ground.left_outside(them)


async def test_a_proxy_is_never_barred_but_whom_it_speaks_for(ground: Ground) -> None:
    await ground.change(RULES | {"exempt": []}, proxy_protocol="accept", proxy_from=[f"{PROXY}/32"])
    bad = b"PROXY TCP4 %s 127.0.0.1 5000 80\r\n" % SPOKEN_FOR.encode()
    for _ in range(3):
        await ground.flood(PROXY, ground.edge.port, bad)
    assert len(ground.told("source_barred", SPOKEN_FOR)) == 1
    client = await RawClient.connect(ground.edge.port, PROXY)
    await client.send(bad, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert await client.head() is None
    assert await ground.ask(PROXY) == 200


async def test_behind_trusted_hops_nobody_is_blamed(ground: Ground, them: str) -> None:
    await ground.change(RULES, trusted_hops=1)
    before = await ground.edge.metric("sbc_abuse_total", kind="h2_ping_flood")
    for _ in range(3):
        await ground.flood(them, ground.edge.port)
    assert await ground.ask(them) == 200 and await ground.ask(them, tls=True) == 200
    assert await ground.edge.metric("sbc_abuse_total", kind="h2_ping_flood") == before + 3
