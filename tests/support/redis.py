"""Redis servers, Sentinels and clusters as processes, each on a port of its own that stays the same."""

import asyncio
import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.edge import free_port
from tests.support.wait import PATIENCE

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
SENTINEL = shutil.which("redis-sentinel") or shutil.which("valkey-sentinel")
needs_redis = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")
needs_sentinel = pytest.mark.skipif(SENTINEL is None, reason="redis-sentinel is not installed")


class Redis(Daemon):
    """A server that keeps nothing on disk: started again, it is empty."""

    def __init__(self, place: Path, *options: str, program: str | None = SERVER, port: int | None = None) -> None:
        super().__init__()
        self.port = port or free_port()
        self.place = place / f"redis-{self.port}"
        self.place.mkdir(parents=True)
        self._options = options
        self._program = program

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> "Redis":
        """Start it, and wait until it answers."""
        assert self._program is not None
        file = self.place / "redis.conf"
        if not file.exists():
            lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {self.place}", *self._options]
            file.write_text("\n".join(lines) + "\n")
        keep = [] if self._program == SENTINEL else ["--save", "", "--appendonly", "no"]
        process = self.run([self._program, str(file), *keep], self.place / "log")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.say("PING")
                return self
            except OSError:
                assert time.monotonic() < deadline and process.poll() is None, (self.place / "log").read_text()
                time.sleep(0.01)

    def option(self, name: str) -> str:
        """What it was given for an option."""
        return next(option.partition(" ")[2] for option in self._options if option.startswith(name + " "))

    def say(self, *words: str, port: int | None = None) -> bytes:
        """The first bytes of the answer to one command, as they came.

        A server that Sentinel promotes hangs up on all its clients (CLIENT KILL TYPE normal): it is asked again, so
        what is said must do no harm if said twice.
        """
        for _ in range(10):
            try:
                return self._said(words, port or self.port)
            except ConnectionResetError:
                time.sleep(0.02)
        return self._said(words, port or self.port)

    def _said(self, words: Sequence[str], port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            packed = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            sock.sendall(f"*{len(words)}\r\n{packed}".encode())
            answer = _more(sock)
            if answer.startswith(b"$") and not answer.startswith(b"$-1"):
                length = int(answer[1:answer.index(b"\r\n")])
                while len(answer) < length + len(str(length)) + 5:
                    answer += _more(sock)
            return answer

    def restart(self) -> None:
        """Empty, and another one for those who know it. In a thread: edges in this process renew their leases."""
        self.stop()
        self.start()

    def seen_long_ago(self) -> None:
        """As if edges had known this server for a day: they need not wait for the leases of one before it."""
        info = self.say("INFO", "server") + self.say("INFO", "replication")
        fields = dict(line.split(":", 1) for line in info.decode().split("\r\n") if ":" in line)
        self.say("HSET", "sbc:{edges}:stores", f"{fields['run_id']}:{fields['master_replid']}",
                 str(int((time.time() - 86400) * 1000)))


def _more(sock: socket.socket) -> bytes:
    octets = sock.recv(65536)
    if not octets:
        raise ConnectionResetError("the server hung up before its answer")
    return octets


class Wire:
    """A TCP way to a server, which can be cut: what is said then is lost on it, and nobody is told."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._to = port
        self._whole = asyncio.Event()
        self._whole.set()
        self._lines: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> "Wire":
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        return self

    def cut(self) -> None:
        self._whole.clear()

    def heal(self) -> None:
        """Connections from before stay broken, as if they had timed out."""
        self._whole.set()
        self.drop()

    def lead_to(self, port: int) -> None:
        """To another server from now on."""
        self._to = port

    def drop(self) -> None:
        for line in self._lines:
            line.transport.abort()
        self._lines.clear()

    async def close(self) -> None:
        self.drop()
        self._whole.set()
        if self._server is not None:
            self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.append(writer)
        try:
            await self._whole.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._lines.append(back)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(65536):
            await self._whole.wait()
            writer.write(octets)
        writer.close()


def stop_all(servers: Sequence[Redis]) -> None:
    for server in servers:
        server.stop()
