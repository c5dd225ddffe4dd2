"""The admin API over real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, ClientTimeout, UnixConnector
from yarl import URL

from sbc.admin import api
from sbc.admin.api import AdminDoor
from sbc.config import AdminToken
from sbc.model.operations import Operations
from tests.admin.operations import BROKEN, FAULTY, ROWS, STORELESS, RecordingOperations
from tests.support.wait import PATIENCE


class Caller:
    """An operator with a client."""

    def __init__(self, operations: RecordingOperations, session: ClientSession, base: str) -> None:
        self.operations = operations
        self.session = session
        self.base = base

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with self.session.request(method, URL(self.base + path, encoded=True), **more) as response:
            assert response.content_type == "application/json", await response.text()
            assert response.headers["Server"] == "sbc"
            assert response.headers["Cache-Control"] == "no-store"
            return response.status, orjson.loads(await response.read())

    async def refused(self, method: str, path: str, **more: Any) -> tuple[int, str, str]:
        status, body = await self.ask(method, path, **more)
        assert body.keys() == {"error"}
        return status, body["error"]["code"], body["error"]["message"]


async def metrics(accept: str) -> tuple[bytes, str]:
    return b"sbc_accept{v=\"%s\"} 1\n" % accept.encode(), "text/plain; version=0.0.4; charset=utf-8"


@contextlib.asynccontextmanager
async def opened(
    operations: RecordingOperations, host: str = "127.0.0.1", tokens: Sequence[AdminToken] = (),
) -> AsyncIterator[Caller]:
    seam: Operations = operations
    door = AdminDoor(seam, metrics, lambda: tokens)
    address, port = await door.start(host, 0)
    try:
        async with ClientSession(timeout=ClientTimeout(total=PATIENCE)) as session:
            where = f"[{address}]" if ":" in address else "127.0.0.1"
            yield Caller(operations, session, f"http://{where}:{port}")
    finally:
        await door.close()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with opened(RecordingOperations()) as made:
        yield made


async def test_sessions_are_listed_with_every_filter(caller: Caller) -> None:
    assert await caller.ask("GET", "/api/v1/sessions") == (200, {"sessions": ROWS})
    await caller.ask(
        "GET", "/api/v1/sessions?state=held&agent=tutor&node=tutors%2Fa&class=interactive&limit=7&after=s0")
    assert caller.operations.orders == [
        ("sessions", None, None, None, None, 100, None),
        ("sessions", "held", "tutor", "tutors/a", "interactive", 7, "s0"),
    ]


@pytest.mark.parametrize(("query", "told"), [
    ("limit=0", "a whole number from 1 to 1000, and is '0'"), ("limit=1001", "from 1 to 1000"),
    ("limit=x", "from 1 to 1000"), ("limit=%D9%A3", "from 1 to 1000"), ("limit=" + "9" * 5000, "from 1 to 1000"),
    ("state=nice", "early, confirmed, held, parked, ended, and is 'nice'"),
    ("class=gold", "synchronous, interactive, autonomous"), ("agent=", "is empty"),
    ("limit=1&limit=2", "given twice"), ("sort=id", "there are state, agent, node, class, limit, after"),
])
async def test_a_bad_query_is_told_what_is_right(caller: Caller, query: str, told: str) -> None:
    status, code, message = await caller.refused("GET", f"/api/v1/sessions?{query}")
    assert (status, code) == (400, "bad_request")
    assert told in message
    assert caller.operations.orders == []


async def test_one_session(caller: Caller) -> None:
    status, row = await caller.ask("GET", "/api/v1/sessions/s1")
    assert (status, row["journal"]) == (200, {"bytes": 12})
    status, row = await caller.ask("GET", "/api/v1/sessions/s%2F3%20%5Bbold%5D%1B%5B2J")
    assert (status, row["session"]) == (200, ROWS[2]["session"])
    assert await caller.refused("GET", "/api/v1/sessions/nope") == (404, "no_session", "there is no session 'nope'")


async def test_orders(caller: Caller) -> None:
    assert (await caller.ask("POST", "/api/v1/sessions/s1/migrate"))[0] == 202
    assert (await caller.ask("POST", "/api/v1/sessions/s1/migrate", data=b"{}"))[0] == 202
    assert (await caller.ask("POST", "/api/v1/sessions/s1/migrate", json={"to": "tutors/b"}))[1]["to"] == "tutors/b"
    assert await caller.ask("DELETE", "/api/v1/sessions/s2") == (200, {"session": "s2", "state": "ended"})
    for path in ("a/drain", "tutors/a/drain", "tutors%2Fa/undrain"):
        await caller.ask("POST", f"/api/v1/nodes/{path}")
    assert caller.operations.orders == [
        ("migrate", "s1", None), ("migrate", "s1", None), ("migrate", "s1", "tutors/b"), ("end", "s2"),
        ("drain", "a"), ("drain", "tutors/a"), ("undrain", "tutors/a"),
    ]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"to":1}', b'{"to":""}', b'{"too":"a"}', b"\xff", b"null"])
async def test_a_bad_body_is_told_what_is_right(caller: Caller, body: bytes) -> None:
    status, code, message = await caller.refused("POST", "/api/v1/sessions/s1/migrate", data=body)
    assert (status, code) == (400, "bad_request")
    assert '{"to": "pool/name"}' in message
    assert caller.operations.orders == []


async def test_a_long_body_is_refused(caller: Caller) -> None:
    status, code, _ = await caller.refused("POST", "/api/v1/sessions/s1/migrate", data=b" " * 65537)
    assert (status, code) == (413, "too_big")


async def test_a_refusal_keeps_its_status_and_says_when_to_try_again(caller: Caller) -> None:
    async with caller.session.post(f"{caller.base}/api/v1/sessions/s1/migrate", json={"to": "tutors/full"}) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "2"
        assert await response.json() == {"error": {"code": "no_room", "message": "tutors/full has no room"}}
    assert await caller.refused("POST", "/api/v1/nodes/x/drain") == (404, "no_node", "there is no node 'x'")


async def test_unknown_paths_and_methods_are_told_in_json(caller: Caller) -> None:
    assert (await caller.refused("GET", "/api/v1/nothing"))[:2] == (404, "not_found")
    status, code, message = await caller.refused("POST", "/api/v1/sessions")
    assert (status, code) == (405, "wrong_method")
    assert "GET" in message


async def test_the_edge_is_drained(caller: Caller) -> None:
    assert await caller.ask("POST", "/api/v1/drain?settle=5") == (202, {"state": "draining", "sessions": 1})
    assert (await caller.ask("POST", "/api/v1/drain"))[1]["state"] == "drained"
    assert caller.operations.orders == [("depart", 5.0), ("depart", 0.0)]
    for wrong in ("-1", "1.5", "601", "x"):
        assert (await caller.refused("POST", f"/api/v1/drain?settle={wrong}"))[0] == 400


async def test_reload(caller: Caller) -> None:
    assert (await caller.ask("POST", "/api/v1/reload"))[1]["applied"] is True
    caller.operations.reload_fails = FAULTY
    status, body = await caller.ask("POST", "/api/v1/reload")
    assert (status, body["error"]["code"], body["error"]["faults"]) == (422, "bad_config", list(FAULTY.faults))
    assert body["error"]["message"] == "the configuration has 2 faults: nothing was changed"
    caller.operations.reload_fails = STORELESS
    assert await caller.refused("POST", "/api/v1/reload") == (503, "store_failed", "the disk is full")


async def test_a_fault_of_our_own_is_told_without_its_detail(caller: Caller) -> None:
    caller.operations.reload_fails = BROKEN
    status, code, message = await caller.refused("POST", "/api/v1/reload")
    assert (status, code) == (500, "internal")
    assert "secret" not in message


@pytest.mark.parametrize("raw", [
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"\x16\x03\x01\n\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
])
async def test_garbage_is_an_ordinary_event(caller: Caller, raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    url = URL(caller.base)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(raw)
    assert (await asyncio.wait_for(reader.readline(), PATIENCE)).split()[1] == b"400"
    writer.close()
    assert not caplog.records
    assert caller.operations.orders == []


async def test_config_nodes_and_health(caller: Caller) -> None:
    assert (await caller.ask("GET", "/api/v1/config"))[1]["trunk"]["secret_file"] == "***"
    assert (await caller.ask("GET", "/api/v1/nodes"))[1]["nodes"][0]["node"] == "tutors/a"
    assert await caller.ask("GET", "/healthz") == (200, {"alive": True})
    assert await caller.ask("GET", "/readyz") == (200, {"ready": True})
    caller.operations.reason = "the store does not answer"
    assert await caller.refused("GET", "/readyz") == (503, "not_ready", "the store does not answer")
    assert (await caller.ask("GET", "/healthz"))[0] == 200


async def test_metrics_follow_the_accept_header(caller: Caller) -> None:
    async with caller.session.get(f"{caller.base}/metrics", headers={"Accept": "text/plain"}) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await response.text() == 'sbc_accept{v="text/plain"} 1\n'


async def test_ipv6_and_a_passed_socket(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with opened(RecordingOperations(), "::1") as caller:
        assert (await caller.ask("GET", "/healthz"))[0] == 200
    path = str(tmp_path_factory.mktemp("s") / "admin")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        door = AdminDoor(RecordingOperations(), metrics, tuple)
        await door.start_on(listening)
        async with (ClientSession(connector=UnixConnector(path)) as session,
                    session.get("http://localhost/healthz") as response):
            assert response.status == 200
        await door.close()


async def test_a_port_in_use_is_an_os_error(caller: Caller) -> None:
    port = URL(caller.base).port
    assert port is not None
    with pytest.raises(OSError, match="in use"):
        await AdminDoor(RecordingOperations(), metrics, tuple).start("127.0.0.1", port)


async def test_closing_twice_or_unopened_is_fine() -> None:
    door = AdminDoor(RecordingOperations(), metrics, tuple)
    await door.close()
    await door.start("127.0.0.1", 0)
    await asyncio.wait_for(door.close(), PATIENCE)
    await door.close()


async def test_a_body_that_does_not_come_is_not_waited_for(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "WAIT", 0.05)
    address = caller.base.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*address.split(":"))
    head = f"POST /api/v1/sessions/s1/migrate HTTP/1.1\r\nHost: {address}\r\nContent-Length: 9\r\n\r\n"
    writer.write(head.encode() + b"{")
    async with asyncio.timeout(PATIENCE):
        assert (await reader.readline()).split()[1] == b"408"
    writer.close()
    assert caller.operations.orders == []
