"""The trunk's door, over real sockets; the hall behind it is a recording one."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import trustme

from sbc.model.errors import Refusal
from sbc.model.interfaces import Trunk
from sbc.nodes import trunk as trunk_module
from sbc.nodes.trunk import TrunkDoor
from sbc.sdk.trunk import TrunkClient
from sbc.tls import Vouching, stock
from tests.support.raw import upgrade
from tests.support.wait import PATIENCE, wait_until

REGISTER = {"type": "register", "node": "a", "pool": "tutors", "url": "http://127.0.0.1:9001", "zone": "z1",
            "labels": {"gpu": "h100"}, "capacity": 200, "checkpoints": True}


class Hall:
    """Remembers what the trunks told it."""

    def __init__(self) -> None:
        self.trunks: list[Trunk] = []
        self.heard_messages: list[tuple[str, Mapping[str, Any]]] = []
        self.lost_nodes: list[str] = []
        self.refusal: Refusal | None = None
        self.greeting: Mapping[str, Any] | None = None

    def registered(self, trunk: Trunk, message: Mapping[str, Any]) -> float:
        if self.refusal is not None:
            raise self.refusal
        self.trunks.append(trunk)
        self.heard_messages.append((trunk.node, message))
        if self.greeting is not None:
            trunk.send(self.greeting)
        return 0.25

    def heard(self, trunk: Trunk, message: Mapping[str, Any]) -> None:
        self.heard_messages.append((trunk.node, message))

    def lost(self, trunk: Trunk) -> None:
        self.lost_nodes.append(trunk.node)


@pytest.fixture
def hall() -> Hall:
    return Hall()


@asynccontextmanager
async def listening(hall: Hall, secret: str | None = None) -> AsyncIterator[tuple[TrunkDoor, str]]:
    door = TrunkDoor(hall, edge="edge-1", secret=secret, ssl=None)
    try:
        port = await door.start("127.0.0.1", 0)
        yield door, f"http://127.0.0.1:{port}/trunk"
    finally:
        await door.close()


@asynccontextmanager
async def dialled(url: str, *, register: bool = True, **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, protocols=["sbc-trunk.v1"], max_msg_size=0, **options) as ws,
    ):
        if register:
            await ws.send_json(REGISTER)
            assert (await ws.receive_json(timeout=PATIENCE))["type"] == "registered"
        yield ws


async def closed(ws: aiohttp.ClientWebSocketResponse) -> tuple[int, str]:
    """The close frame that comes once everything before it was read."""
    while True:
        message = await ws.receive(timeout=PATIENCE)
        if message.type is aiohttp.WSMsgType.CLOSE:
            return message.data, message.extra or ""
        assert message.type is aiohttp.WSMsgType.TEXT, message


async def test_a_node_registers_and_is_heard(hall: Hall) -> None:
    async with listening(hall) as (_, url), dialled(url, register=False) as ws:
        assert ws.protocol == "sbc-trunk.v1"
        await ws.send_json({**REGISTER, "unheard-of": 1})
        assert await ws.receive_json(timeout=PATIENCE) == {"type": "registered", "edge": "edge-1", "heartbeat": 0.25}
        await ws.send_json({"type": "heartbeat", "sessions": 3, "load": 0.5})
        await wait_until(lambda: len(hall.heard_messages) == 2, "the heartbeat")
        assert hall.heard_messages == [
            ("tutors/a", REGISTER), ("tutors/a", {"type": "heartbeat", "sessions": 3, "load": 0.5})]
        await ws.close()
        await wait_until(lambda: hall.lost_nodes, "the loss")
    assert hall.lost_nodes == ["tutors/a"]


async def test_who_asks_nothing_is_sent_away_and_garbage_is_an_ordinary_event(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trunk_module, "REGISTER_WITHIN", 0.3)
    async with listening(hall) as (_, url), dialled(url) as ws:
        at = urlsplit(url)
        for said in (b"", b"GET /trunk HTTP/1.1\r\nHo", b"\x16\x03\x01\n\n"):
            reader, writer = await asyncio.open_connection(at.hostname, at.port)
            writer.write(said)
            answer = await asyncio.wait_for(reader.read(-1), PATIENCE)
            assert answer == b"" or answer.split()[1] == b"400"
            writer.close()
        await ws.send_json({"type": "heartbeat", "sessions": 0, "load": 0})
        await wait_until(lambda: len(hall.heard_messages) == 2, "a trunk that stands is left alone")
    assert not caplog.records


async def test_the_answer_to_register_comes_before_what_the_hall_says_meanwhile(hall: Hall) -> None:
    hall.greeting = {"type": "release", "session": "s", "epoch": 1, "reason": "elsewhere"}
    async with listening(hall) as (_, url), dialled(url, register=False) as ws:
        await ws.send_json(REGISTER)
        assert [(await ws.receive_json(timeout=PATIENCE))["type"] for _ in range(2)] == ["registered", "release"]


async def test_what_the_hall_says_arrives_in_order_then_the_close_frame(hall: Hall) -> None:
    async with listening(hall) as (_, url), dialled(url) as ws:
        for number in range(500):
            hall.trunks[0].send({"type": "release", "session": f"s{number}", "epoch": 1, "reason": "x"})
        hall.trunks[0].close("replaced " + "ü" * 100)
        released = [(await ws.receive_json(timeout=PATIENCE))["session"] for _ in range(500)]
        assert released == [f"s{n}" for n in range(500)]
        code, reason = await closed(ws)
        assert code == 1001
        assert reason.startswith("replaced ü") and len(reason.encode()) <= 123
        await wait_until(lambda: hall.lost_nodes, "the loss")
        hall.trunks[0].send({"type": "release", "session": "late", "epoch": 1, "reason": "x"})
    assert hall.lost_nodes == ["tutors/a"]


@pytest.mark.parametrize(("headers", "status"), [
    ({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Authorization": "Basic s3cret"}, 401),
    ({"Authorization": "Bearer \xfc"}, 401), ({"Authorization": "Bearer s3cret"}, 101),
    ({"Authorization": "bearer s3cret"}, 101)])
async def test_the_secret(hall: Hall, headers: dict[str, str], status: int) -> None:
    async with listening(hall, secret="s3cret") as (door, url):
        try:
            async with dialled(url, headers=headers):
                got = 101
        except aiohttp.WSServerHandshakeError as refused:
            got = refused.status
        assert got == status
        assert door.counts.unauthorized == (status == 401)


async def test_the_subprotocol_is_required(hall: Hall) -> None:
    async with listening(hall) as (_, url), aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url, protocols=["sbc-trunk.v9"])
        assert refused.value.status == 400
        async with http.get(url) as answer:
            assert answer.status == 400


async def test_a_refused_node_is_told_why_and_never_lost(hall: Hall) -> None:
    hall.refusal = Refusal(403, "pool", "there is no pool `tutors`")
    async with listening(hall) as (door, url), dialled(url, register=False) as ws:
        await ws.send_json(REGISTER)
        assert await ws.receive_json(timeout=PATIENCE) == {"type": "error", "message": "there is no pool `tutors`"}
        assert await closed(ws) == (1008, "there is no pool `tutors`")
        assert door.counts.refused == 1
    assert hall.lost_nodes == []


async def test_a_node_that_does_not_register_in_time(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_module, "REGISTER_WITHIN", 0.1)
    async with listening(hall) as (_, url), dialled(url, register=False) as ws:
        assert (await closed(ws))[0] == 1008
    assert hall.lost_nodes == []


async def test_words_before_and_after_register(hall: Hall) -> None:
    async with listening(hall) as (_, url), dialled(url, register=False) as ws:
        await ws.send_json({"type": "heartbeat", "sessions": 0})
        assert "must be `register`" in (await ws.receive_json(timeout=PATIENCE))["message"]
        await ws.send_json(REGISTER)
        assert (await ws.receive_json(timeout=PATIENCE))["type"] == "registered"
        await ws.send_json(REGISTER)
        assert "registered already" in (await ws.receive_json(timeout=PATIENCE))["message"]


async def test_three_malformed_in_a_row_close_the_trunk(hall: Hall) -> None:
    async with listening(hall) as (door, url), dialled(url) as ws:
        for _ in range(2):  # two and a good one, twice: not in a row
            for bad in ("{", "[]"):
                await ws.send_str(bad)
                assert (await ws.receive_json(timeout=PATIENCE))["type"] == "error"
            await ws.send_json({"type": "heartbeat", "sessions": 0})
        await ws.send_str('{"type": 7}')
        await ws.send_bytes(b'{"type": "heartbeat", "sessions": 0}')
        await ws.send_str('{"type": "accept", "session": "s", "epoch": -1}')
        await ws.send_json({"type": "heartbeat", "sessions": 99})
        assert (await closed(ws))[0] == 1008
        assert door.counts.malformed == 7
        await wait_until(lambda: hall.lost_nodes, "the loss")
    assert {"type": "heartbeat", "sessions": 99} not in [message for _, message in hall.heard_messages]


async def test_a_message_of_exactly_the_limit_and_one_byte_more(hall: Hall) -> None:
    start = '{"type": "heartbeat", "sessions": 0, "padding": "'
    async with listening(hall) as (_, url), dialled(url) as ws:
        await ws.send_str(start + "x" * (trunk_module.MESSAGE_LIMIT - len(start) - 2) + '"}')
        await wait_until(lambda: len(hall.heard_messages) == 2, "the message of 256 KiB")
        await ws.send_str(start + "x" * (trunk_module.MESSAGE_LIMIT - len(start) - 1) + '"}')
        assert (await closed(ws))[0] == 1009
        await wait_until(lambda: hall.lost_nodes, "the loss")


async def test_a_node_that_does_not_read_loses_its_trunk(hall: Hall) -> None:
    async with listening(hall) as (door, url), dialled(url) as ws:
        transport = ws._response.connection.transport
        transport.pause_reading()
        message = {"type": "journal", "session": "s", "messages": [{"seq": 1, "text": "x" * 50_000}]}

        def sent_too_much() -> bool:
            for _ in range(10):
                hall.trunks[0].send(message)
            return door.counts.unread > 0

        await wait_until(sent_too_much, "the queue to run over")
        await wait_until(lambda: hall.lost_nodes, "the loss of a trunk that is not read")
        assert hall.lost_nodes == ["tutors/a"] and door.counts.unread == 1
        transport.abort()


async def test_a_burst_beyond_the_queue_ends_with_1013(hall: Hall) -> None:
    async with listening(hall) as (_, url), dialled(url) as ws:
        for number in range(trunk_module.QUEUE_MESSAGES + 1):
            hall.trunks[0].send({"type": "x", "n": number})
        assert (await closed(ws))[0] == 1013


async def test_a_broken_connection_is_a_loss(hall: Hall) -> None:
    async with listening(hall) as (_, url), dialled(url) as ws:
        ws._response.connection.transport.abort()
        await wait_until(lambda: hall.lost_nodes, "the loss")
    assert hall.lost_nodes == ["tutors/a"]


async def test_the_door_closes_with_1012(hall: Hall) -> None:
    async with listening(hall) as (door, url), dialled(url) as ws:
        closing = asyncio.create_task(door.close())
        assert (await closed(ws))[0] == 1012
        await closing
        assert hall.lost_nodes == ["tutors/a"]
        with pytest.raises(aiohttp.ClientConnectionError):
            async with dialled(url):
                pass


class Speaker:
    """What a node says on its trunk."""

    def register(self) -> dict[str, Any]:
        return dict(REGISTER)

    def heartbeat(self) -> dict[str, Any]:
        return {"type": "heartbeat", "sessions": 0}

    def opened(self, trunk: TrunkClient) -> None:
        pass

    def heard(self, trunk: TrunkClient, message: Mapping[str, Any]) -> None:
        pass

    def closed(self, trunk: TrunkClient) -> None:
        pass

    def may_dial(self, trunk: TrunkClient) -> bool:
        return True


async def test_only_nodes_with_a_certificate_come_in(hall: Hall, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca := tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(cert := tmp_path / "edge.crt")
    issued.private_key_pem.write_to_path(key := tmp_path / "edge.key")
    server = stock([(str(cert), str(key))], "1.2", vouching=Vouching(str(ca), required=True)).first
    door = TrunkDoor(hall, edge="edge-1", secret=None, ssl=server)
    url = f"https://127.0.0.1:{await door.start('127.0.0.1', 0)}/trunk"
    nameless, proven = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(nameless)
    authority.configure_trust(proven)
    authority.issue_cert("node-a").configure_cert(proven)
    node = TrunkClient(url, None, Speaker(), tls=proven)
    try:
        with pytest.raises(aiohttp.ClientError):
            async with dialled(url, ssl=nameless):
                pass
        assert not hall.trunks
        running = asyncio.create_task(node.run())
        await wait_until(lambda: node.is_open, "the node's trunk")
        running.cancel()
    finally:
        await door.close()


async def test_another_secret_and_another_tls_for_those_to_come(hall: Hall, tmp_path: Path) -> None:
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    door = TrunkDoor(hall, edge="edge-1", secret=None, ssl=None)
    where = f"127.0.0.1:{await door.start('127.0.0.1', 0)}/trunk"
    try:
        async with dialled(f"http://{where}") as ws:
            await door.change("s3cret", server)
            await ws.send_json({"type": "drain", "deadline": 5})
            await wait_until(lambda: len(hall.heard_messages) == 2, "the trunk that stood before")
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                async with dialled(f"https://{where}", ssl=client):
                    pass
            async with dialled(f"https://{where}", ssl=client, headers={"Authorization": "Bearer s3cret"}):
                assert len(hall.trunks) == 2
    finally:
        await door.close()


async def test_a_socket_that_is_bound_already_and_tls(hall: Hall) -> None:
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        door = TrunkDoor(hall, edge="edge-1", secret=None, ssl=server)
        await door.start_on(bound)
        try:
            async with dialled(f"https://127.0.0.1:{bound.getsockname()[1]}/trunk", ssl=client) as ws:
                await ws.send_str(json.dumps({"type": "drain", "deadline": 5}))
                await wait_until(lambda: len(hall.heard_messages) == 2, "the drain")
        finally:
            await door.close()


async def test_a_node_that_is_gone_before_its_answer(hall: Hall, caplog: pytest.LogCaptureFixture) -> None:
    async with listening(hall) as (_, url):
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(upgrade("/trunk", "Sec-WebSocket-Protocol: sbc-trunk.v1"))
        async with dialled(url):  # what came before it has been seen to
            await wait_until(lambda: hall.trunks, "another node registers")
    assert not [record for record in caplog.records if record.exc_info]
