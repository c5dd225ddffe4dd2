"""How the command line finds and asks a running edge."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator

import pytest
import typer

from sbc.cli.edge import EdgeError, RunningEdge, find, segment
from sbc.config import AdminToken, Role
from tests.admin.operations import RecordingOperations
from tests.admin.test_api import opened


@pytest.mark.parametrize(("given", "base"), [
    ("127.0.0.1:9", "http://127.0.0.1:9"), ("http://edge-1:9070/", "http://edge-1:9070"),
    ("https://edge-1", "https://edge-1"), ("[::1]:9070", "http://[::1]:9070"),
])
def test_addresses(given: str, base: str) -> None:
    assert find(None, given).base == base


@pytest.mark.parametrize(
    "given", ["", "http://", "x:y", "ftp://x:1", "x:99999", "http://x/api", "x:1?y", "a b:1", "x:0"])
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="HOST:PORT"):
        find(None, given)


def test_the_environment_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SBC_ADMIN", raising=False)
    assert find(None, None).base == "http://127.0.0.1:9070"
    monkeypatch.setenv("SBC_ADMIN", "10.0.0.1:1")
    assert find(None, None).base == "http://10.0.0.1:1"
    assert find(None, "10.0.0.2:2").base == "http://10.0.0.2:2"


async def test_the_token_of_the_environment_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBC_ADMIN_TOKEN", " secret\n")
    tokens = [AdminToken("ops", hashlib.sha256(b"secret").hexdigest(), Role.VIEW)]
    async with opened(RecordingOperations(), tokens=tokens) as caller:
        edge = find(None, caller.base)
        assert (await asyncio.to_thread(edge.ask, "GET", "/api/v1/nodes"))["nodes"]
        with pytest.raises(EdgeError, match="ops may look, and may not give orders"):
            await asyncio.to_thread(edge.ask, "POST", "/api/v1/reload")
        monkeypatch.delenv("SBC_ADMIN_TOKEN")
        with pytest.raises(EdgeError, match="SBC_ADMIN_TOKEN"):
            await asyncio.to_thread(find(None, caller.base).ask, "GET", "/api/v1/nodes")


@pytest.mark.parametrize("token", ["a b", "a\nb", "\u00e4", "a\x7f"])
def test_what_is_no_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("SBC_ADMIN_TOKEN", token)
    with pytest.raises(typer.BadParameter, match="without a space"):
        find(None, None)


def test_a_name_is_one_segment() -> None:
    assert segment("tutors/a ?") == "tutors%2Fa%20%3F"


ANSWERS = {
    b"": "no edge answers at .*: Remote end closed connection",
    b"SSH-2.0-x\r\n": "no edge answers at .*: SSH-2.0-x",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<htm>": "what answers at .* is not an edge",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]": "what answers at .* is not an edge",
    b"HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\n{}": "answered with status 502",
    b"HTTP/1.1 500 Bad\r\nContent-Length: 9\r\n\r\nno": "no edge answers|not an edge",
}


@pytest.fixture(params=list(ANSWERS))
async def stranger(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, str]]:
    """Something that listens and is no edge."""
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(request.param)
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}", ANSWERS[request.param]
    server.close()


async def test_what_is_no_edge_is_told_in_a_line(stranger: tuple[str, str]) -> None:
    base, told = stranger
    with pytest.raises(EdgeError, match=told):
        await asyncio.to_thread(RunningEdge(base).ask, "GET", "/api/v1/nodes")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(EdgeError, match=f"no edge answers at http://127.0.0.1:{port}: Connection refused"):
        RunningEdge(f"http://127.0.0.1:{port}").ask("GET", "/")
