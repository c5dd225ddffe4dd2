"""TLS to the nodes of a pool: whom the edge trusts, and what it shows."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from sbc.model.ids import NodeId, PoolName
from sbc.model.node import Node, Probe
from sbc.nodes.dial import Trust, load_trust
from sbc.nodes.link import Dial, Failed, Opened
from sbc.nodes.probe import Prober
from tests.nodes.exchanges import Asking, get, raw_node, read_head
from tests.support.wait import wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POOL = PoolName("pool")
NODES, EDGES = trustme.CA(), trustme.CA()


class Shown:
    """A node that answers, and what it was shown on each connection."""

    def __init__(self) -> None:
        self.subjects: list[Any] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        self.subjects.append(certificate["subjectAltName"])
        while True:
            await read_head(reader)
            writer.write(OK)


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    it = Asking()
    yield it
    await it.close()


@pytest.fixture
def demanding() -> ssl.SSLContext:
    """That of a node whose certificate is for agents.test, and which wants one of the edge."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    NODES.issue_cert("agents.test").configure_cert(context)
    EDGES.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def trust(directory: Path, authority: trustme.CA = NODES, shown: str | None = "edge.test",
          server_name: str | None = "agents.test") -> Trust:
    authority.cert_pem.write_to_path(ca := directory / "ca.pem")
    if shown is None:
        return load_trust(str(ca), None, None, server_name)
    issued = EDGES.issue_cert(shown)
    issued.cert_chain_pems[0].write_to_path(cert := directory / "edge.crt")
    issued.private_key_pem.write_to_path(key := directory / "edge.key")
    return load_trust(str(ca), str(cert), str(key), server_name)


async def test_both_show_who_they_are(asking: Asking, demanding: ssl.SSLContext, tmp_path: Path) -> None:
    asking.pool.trusts = {POOL: trust(tmp_path)}
    async with raw_node(shown := Shown(), demanding) as raw:
        assert (await asking.ask(raw.node, get()).end()).body == b"ok"
        assert (await asking.ask(raw.node, get()).end()).body == b"ok"
        assert shown.subjects == [(("DNS", "edge.test"),)]
        asking.pool.trusts = {POOL: trust(tmp_path, shown="renewed.test")}
        assert (await asking.ask(raw.node, get()).end()).body == b"ok"
        assert shown.subjects[1:] == [(("DNS", "renewed.test"),)]


@pytest.mark.parametrize("how", [
    {"authority": trustme.CA()}, {"server_name": None}, {"server_name": "others.test"}, {"shown": None},
], ids=["another authority", "the host of the URL", "another name", "no certificate of ours"])
async def test_no_request_goes_to_whom_nobody_vouches_for(
        asking: Asking, demanding: ssl.SSLContext, tmp_path: Path, how: dict[str, Any]) -> None:
    asking.pool.trusts = {POOL: trust(tmp_path, **how)}
    async with raw_node(shown := Shown(), demanding) as raw:
        heard = await asking.ask(raw.node, get()).end()
    assert heard.failure is not None and not shown.subjects


class _Owner:
    def link_lost(self, link: object) -> None:
        pass


async def test_a_leg(asking: Asking, demanding: ssl.SSLContext, tmp_path: Path) -> None:
    async with raw_node(shown := Shown(), demanding) as raw:
        dial = Dial(raw.node.url, "/", [], b"host: edge.test\r\n", (), None)
        for trusts, reached in (({POOL: trust(tmp_path)}, True), ({}, False)):
            asking.pool.trusts = trusts
            told: list[Opened | Failed] = []
            asking.pool.approach(raw.node, dial, _Owner(), 1, told.append)  # type: ignore[arg-type]
            failed = await wait_until(lambda told=told: told and told[0], "the outcome")  # type: ignore[misc]
            # It answers 200, for it knows no WebSocket.
            assert isinstance(failed, Failed) and failed.reached == reached
    assert len(shown.subjects) == 1


async def test_a_probe(asking: Asking, demanding: ssl.SSLContext, tmp_path: Path) -> None:
    alive: list[bool] = []
    prober = Prober(lambda node, lives, why, took: alive.append(lives), asking.spawn, asking.pool)
    async with raw_node(Shown(), demanding) as raw:
        prober.watch(Node(NodeId("pool/a"), POOL, raw.node.url), Probe(every=0.05, timeout=2.0))
        await wait_until(lambda: alive and not alive[-1], "a probe that fails")
        prober.trusts = {POOL: trust(tmp_path)}
        await wait_until(lambda: alive[-1], "a probe that is answered")
        await prober.close()


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    for name in ("junk", "nothing"):
        with pytest.raises(OSError):
            load_trust(str(tmp_path / name), None, None, None)
