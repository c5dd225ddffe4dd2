"""TLS clients of bare records for the tests: what is sent, and in what pieces, is up to the test."""

import asyncio
import fcntl
import importlib.util
import socket
import ssl
import struct
import sys
import termios
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import trustme
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from sbc.wire import tls_transport
from tests.support.wait import PATIENCE, wait_until

AUTHORITY = trustme.CA()


def server_context(*names: str) -> ssl.SSLContext:
    """A context with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*(names or ("localhost",))).configure_cert(context)
    return context


def client_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A context that trusts our authority, and speaks one version only if it is given."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def _plain() -> ModuleType:
    path = Path(tls_transport.__file__)
    spec = importlib.util.spec_from_file_location("plain_tls_transport", path.with_name("tls_transport.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TWINS: list[Any] = [_plain().TlsTransport]
"""As plain Python, and compiled where that was built."""
if Path(tls_transport.__file__).suffix == ".so":
    TWINS.append(tls_transport.TlsTransport)


class Caller:
    """One TCP connection, and TLS that stays in memory until the test sends it."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str | None = "localhost",
                 session: ssl.SSLSession | None = None) -> None:
        self.sock, self.context = sock, context
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        if name is None:
            context.check_hostname = False
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)

    @classmethod
    async def connect(cls, port: int, context: ssl.SSLContext, name: str | None = "localhost",
                      session: ssl.SSLSession | None = None, receive_buffer: int | None = None) -> "Caller":
        """Connected, no handshake yet."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, context, name, session)

    async def send_raw(self, raw: bytes) -> None:
        """Bytes as they are."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.sock, raw)

    def records(self, plain: bytes) -> bytes:
        """Encrypted, not sent."""
        self.tls.write(plain)
        return self.outgoing.read()

    async def flush(self, step: int | None = None) -> None:
        """Send what TLS wants to send, `step` bytes at a time."""
        raw = self.outgoing.read()
        for at in range(0, len(raw), step or len(raw) or 1):
            await self.send_raw(raw[at : at + (step or len(raw))])

    async def pump(self) -> bool:
        """Take in what comes; whether anything did before the end."""
        async with asyncio.timeout(PATIENCE):
            raw = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        self.incoming.write(raw)
        return bool(raw)

    async def shake(self, step: int | None = None, last: bool = True) -> None:
        """The handshake. last: whether our last words are sent, too. Raises ssl.SSLError, EOFError."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.flush(step)
                if not await self.pump():
                    raise EOFError from None
            else:
                break
        if last:
            await self.flush(step)

    async def read(self, count: int) -> bytes:
        """So many bytes of plaintext; fewer if the other side says goodbye. Raises EOFError if it just goes."""
        parts: list[bytes] = []
        while count > 0:
            try:
                part = self.tls.read(min(count, 65536))
            except ssl.SSLWantReadError:
                await self.flush()
                if not await self.pump():
                    raise EOFError from None
                continue
            if not part:
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def goodbye(self) -> bytes:
        """Our close_notify, not sent."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()

    def reset(self) -> None:
        """The connection is reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Rekeyer:
    """Makes KeyUpdate records that ask for one in return (RFC 8446 section 4.6.3), which no library sends at will."""

    def __init__(self, secret: bytes) -> None:
        """secret: CLIENT_TRAFFIC_SECRET_0 of a connection with TLS_AES_256_GCM_SHA384, which has sent nothing yet."""
        self._secret = secret
        self._sealed = 0

    def _derived(self, label: bytes, length: int) -> bytes:
        name = b"tls13 " + label
        return HKDFExpand(SHA384(), length, struct.pack("!HB", length, len(name)) + name + b"\0").derive(self._secret)

    def _record(self, inner: bytes) -> bytes:
        head = b"\x17\x03\x03" + struct.pack("!H", len(inner) + 16)
        nonce = int.from_bytes(self._derived(b"iv", 12), "big") ^ self._sealed
        self._sealed += 1
        return head + AESGCM(self._derived(b"key", 32)).encrypt(nonce.to_bytes(12, "big"), inner, head)

    def update(self, plain: bytes) -> bytes:
        """Some application bytes, and the wish for new keys."""
        records = self._record(plain + b"\x17") + self._record(b"\x18\0\0\x01\x01\x16")
        self._secret, self._sealed = self._derived(b"traffic upd", 48), 0
        return records


class App(asyncio.Protocol):
    """What lies over TLS: notes what it is told, and sends everything back if it is to."""

    def __init__(self, echo: bool = True, paused: bool = False) -> None:
        self.echo, self.paused = echo, paused
        self.told: list[str] = []
        self.heard = bytearray()
        self.deliveries = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.told.append("made")
        if self.paused:
            self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.deliveries += 1
        if self.echo:
            self.transport.write(data)

    def eof_received(self) -> None:
        self.told.append("eof")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")


class Door:
    """A TLS server with one App for each connection."""

    def __init__(self, twin: Any, context: ssl.SSLContext | None = None, **app: bool) -> None:
        self.twin, self.app = twin, app
        self.context = context or server_context()
        self.patience = PATIENCE
        self.apps: list[App] = []
        self.failed: list[Exception | None] = []
        self.callers: list[Caller] = []
        self.port = 0

    async def __aenter__(self) -> "Door":
        self._server = await asyncio.get_running_loop().create_server(self._enter, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for caller in self.callers:
            caller.sock.close()
        for app in self.apps:
            if "made" in app.told:
                await wait_until(lambda app=app: "lost" in app.told, f"the end of {app.told}")  # type: ignore[misc]

    def _enter(self) -> Any:
        self.apps.append(App(**self.app))
        deadline = asyncio.get_running_loop().time() + self.patience
        return self.twin(self.apps[-1], self.context, None, deadline, self.failed.append)

    async def caller(self, version: ssl.TLSVersion | None = None, context: ssl.SSLContext | None = None,
                     **how: Any) -> Caller:
        """A client without a handshake."""
        caller = await Caller.connect(self.port, context or client_context(version), **how)
        self.callers.append(caller)
        return caller

    async def pair(self, version: ssl.TLSVersion | None = None, **how: Any) -> tuple[Caller, App]:
        """A client with its handshake done, and the application on the other side."""
        caller = await self.caller(version, **how)
        await caller.shake()
        await wait_until(lambda: self.apps and self.apps[-1].told, "connection_made")
        return caller, self.apps[-1]


def unread(transport: asyncio.Transport) -> int:
    """How many bytes wait in the socket of a transport."""
    sock = transport.get_extra_info("socket")
    return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)))[0])
