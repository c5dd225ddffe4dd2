"""The same request over each version of HTTP, on a listener that serves everything over TLS (tests/support/quic.py)."""

from dataclasses import dataclass

import aiohttp

from tests.support.answer import Answer, Fields
from tests.support.h2_client import H2Client
from tests.support.h3_client import H3Client
from tests.support.quic import trusted
from tests.support.scene import Scene
from tests.support.wait import PATIENCE
from tests.wire.tls import client_context

HTTP = ["http1", "http2", "http3"]


@dataclass(slots=True)
class Got:
    """A whole answer; status 0: it was reset before its head."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Of this lower-case name; empty: there is none."""
        return next((value for key, value in self.headers if key == name), "")


async def ask(over: str, scene: Scene, path: str, headers: dict[str, str] | None = None, *, method: str = "GET",
              body: bytes = b"") -> Got:  # fmt: skip
    """Ask on a connection of its own."""
    if over == "http1":
        return await _over_http1(scene, path, headers or {}, method, body)
    more: Fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    if over == "http2":
        second = await H2Client.connect(scene.edge.port, tls=_h2())
        head = [(b":method", method.encode()), (b":scheme", b"https"),
                (b":authority", b"localhost:%d" % scene.edge.port), (b":path", path.encode())]
        stream = await second.ask(fields=head, more=more, end=not body)
        if body:
            await second.send(stream, body, end=True)
        answer = await second.answer(stream)
        second.drop()
        return _got(answer)
    third = await H3Client.connect(scene.edge.port, "aioquic", trust=trusted())
    number = third.ask(path.encode(), method=method.encode(), end=not body, more=more)
    if body:
        third.send(number, body, end=True)
    await third.until(lambda: third.answers[number].over, f"the answer to {path}")
    third.close()
    return _got(third.answers[number])


async def _over_http1(scene: Scene, path: str, headers: dict[str, str], method: str, body: bytes) -> Got:
    timeout = aiohttp.ClientTimeout(sock_read=PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http:
        try:
            async with http.request(method, f"https://localhost:{scene.edge.port}{path}", headers=headers, data=body,
                                    ssl=client_context(), allow_redirects=False) as answer:
                head = [(name.lower(), value) for name, value in answer.headers.items()]
                try:
                    return Got(answer.status, head, await answer.read())
                except aiohttp.ClientPayloadError:
                    return Got(answer.status, head, b"")
        except aiohttp.ClientError:
            return Got(0, [], b"")


def _h2() -> object:
    context = client_context()
    context.set_alpn_protocols(["h2"])
    return context


def _got(answer: Answer) -> Got:
    fields = [(name.decode(), value.decode()) for name, value in answer.fields.items() if not name.startswith(b":")]
    return Got(answer.status, fields, answer.body)
