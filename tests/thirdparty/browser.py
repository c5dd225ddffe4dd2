"""A headless Chromium, driven over the DevTools protocol, and a cable between it and the edge that can be cut."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.support.wait import PATIENCE, wait_until

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
PROGRAM = next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One page."""

    _socket: ClientConnection
    _process: asyncio.subprocess.Process

    def __init__(self, place: Path, *flags: str) -> None:
        """flags: how it is told which certificates to believe; without any, all of them."""
        self._place = place
        self._flags = flags or ("--ignore-certificate-errors",)
        self._number = 0

    async def start(self) -> None:
        assert PROGRAM is not None
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", *self._flags,
            "--remote-debugging-port=0", f"--user-data-dir={self._place}", "--no-proxy-server", "about:blank",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True)
        said = self._place / "DevToolsActivePort"
        await wait_until(lambda: said.exists() and len(said.read_text().split()) == 2, "the browser is there")
        port, path = said.read_text().split()
        self._socket = await connect(f"ws://127.0.0.1:{port}{path}", proxy=None, max_size=None)
        pages = (await self._order("Target.getTargets"))["targetInfos"]
        page = next(each["targetId"] for each in pages if each["type"] == "page")
        self._session = (await self._order("Target.attachToTarget", targetId=page, flatten=True))["sessionId"]

    async def _order(self, method: str, session: str = "", **how: Any) -> Any:
        self._number += 1
        await self._socket.send(json.dumps({"id": self._number, "method": method, "params": how}
                                           | ({"sessionId": session} if session else {})))
        while True:
            said = json.loads(await asyncio.wait_for(self._socket.recv(), PATIENCE))
            if said.get("id") == self._number:
                assert "error" not in said, said
                return said["result"]

    async def go(self, url: str) -> None:
        await self._order("Page.navigate", self._session, url=url)
        await wait_until(lambda: self.run(f"document.readyState == 'complete' && location.href == {url!r}"), url)

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it comes to."""
        said = await self._order("Runtime.evaluate", self._session, expression=script, awaitPromise=True,
                                 returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def stop(self) -> None:
        await self._socket.close()
        # The program is a script that starts the browser: it would live on without it.
        os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


class Cable:
    """Passes on bytes between its own port and another one."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.connections = 0
        """How many there have been."""
        self._ends: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._ends |= {writer, back}
        await asyncio.gather(_pass(reader, back), _pass(there, writer))
        self._ends -= {writer, back}

    def cut(self) -> None:
        """Every connection is gone."""
        for end in self._ends:
            end.transport.abort()

    def stop(self) -> None:
        self._server.close()
        self.cut()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
