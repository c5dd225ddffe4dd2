"""What the tests with HTTP clients and servers of others share: programs as nodes, an edge with and without TLS."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.edge import free_port
from tests.support.nodes import NodeProcess
from tests.support.scene import Scene

HOST = "edge.test"


class Program(NodeProcess):
    """A server of somebody else's as a node: `command`, in which `{port}` and `{place}` are filled in."""

    def __init__(self, place: Path, name: str, command: list[str], port: int) -> None:
        super().__init__(place, name, port, edge=None)
        self._command = [part.format(port=self.port, place=place) for part in command]


class WebScene(Scene):
    """An edge with a plain listener and one with TLS, that speak all there is."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.secure = free_port()
        self.authority = trustme.CA()
        self.ca, self._cert, self._key = (directory / name for name in ("ca.pem", "cert.pem", "key.pem"))
        self.authority.cert_pem.write_to_path(self.ca)
        issued = self.authority.issue_cert(HOST, "localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(self._key)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self._cert, append=True)

    def web(self, *names: str, server: str = "aiohttp") -> list[NodeProcess]:
        """Start nodes of tests.support.node_web."""
        return [self._node(name, None, {"module": "node_web", "server": server}) for name in names]

    def module(self, name: str, module: str) -> NodeProcess:
        """Start a node of another module of tests.support."""
        return self._node(name, None, {"module": module})

    def program(self, name: str, *command: str, port: int | None = None) -> NodeProcess:
        """Start a server of somebody else's. Raises FileNotFoundError if it is not installed."""
        if shutil.which(command[0]) is None:
            raise FileNotFoundError(command[0])
        node = self.nodes[name] = Program(self.directory, name, list(command), port or free_port())
        node.start()
        return node

    def tree(self, changes: dict[str, Any], *, quic: bool = False) -> dict[str, Any]:
        """`changes`, with the two listeners. quic: HTTP/3 on that with TLS, too."""
        transports = ["http1", "http2", "websocket"]
        tls = {"certificates": [{"cert": str(self._cert), "key": str(self._key)}]}
        return {"listeners": [
            {"name": "plain", "listen": f"127.0.0.1:{self.edge.port}", "transports": transports},
            {"name": "secure", "listen": f"127.0.0.1:{self.secure}", "tls": tls,
             "transports": [*transports, *(["quic"] if quic else [])]},
        ]} | changes

    def url(self, path: str, *, tls: bool = False) -> str:
        return f"https://localhost:{self.secure}{path}" if tls else f"http://127.0.0.1:{self.edge.port}{path}"


async def run(*command: str, code: int = 0, reads: Path | None = None, patience: float = 20) -> str:
    """What a program says on both its outputs. reads: its input. Skips the test without the program."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    with (reads or Path("/dev/null")).open("rb") as stdin:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), patience)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == code, output.decode(errors="replace")
    return output.decode(errors="replace")
