"""Issuers' keys at a URL: when they are fetched, for how long they stay, and what is no answer."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable

import pytest
from aiohttp import web

from sbc.issuers import LONGEST_JWKS
from sbc.model.identity import Jwt
from sbc.runtime.keysources import PAUSE, UrlSource
from tests.runtime.test_tls_both_sides import serving
from tests.support.issuer import Issuer


class Published:
    """An issuer's site; what it answers is up to the test."""

    def __init__(self) -> None:
        self.answer: object = Issuer().jwks()
        self.asked = 0
        self.port = 0

    async def serve(self, request: web.Request) -> web.Response:
        self.asked += 1
        if isinstance(self.answer, int):
            return web.Response(status=self.answer, headers={"Location": "/keys"})
        return web.Response(body=self.answer) if isinstance(self.answer, bytes) else web.json_response(self.answer)


@pytest.fixture
async def site() -> AsyncIterator[Published]:
    made, app = Published(), web.Application()
    app.router.add_get("/keys", made.serve)
    async with serving(app) as port:
        made.port = port
        yield made


class Watcher:
    """A clock that stands still, and the tasks and complaints of a source."""

    def __init__(self, site: Published) -> None:
        self.now = 1000.0
        self.complaints: list[str] = []
        self._work: list[Awaitable[None]] = []
        jwt = Jwt(f"http://127.0.0.1:{site.port}/keys", "i", "a", ("ES256",), "sub", 0.0, None, None, 600.0, 3600.0)
        self.source = UrlSource(jwt, lambda: self.now)

    async def look(self, later: float = 0.0) -> int:
        """Let time pass and have it look; how many fetches that began, each of which is waited for."""
        self.now += later
        self.source.look(lambda _, work: self._work.append(work), self.complaints.append)
        self.source.look(lambda _, work: self._work.append(work), self.complaints.append)
        begun, self._work = self._work, []
        await asyncio.gather(*begun)
        return len(begun)

    @property
    def kids(self) -> list[str | None]:
        return [] if self.source.current is None else [key.kid for key in self.source.current.keys]


async def test_keys_are_fetched_now_and_then(site: Published) -> None:
    watcher = Watcher(site)
    assert watcher.kids == [] and watcher.source.age == math.inf
    assert await watcher.look() == 1
    assert watcher.kids == ["k1"] and watcher.source.age == 0
    before = watcher.source.current
    assert [await watcher.look(later) for later in (1, 500, 98, 1)] == [0, 0, 0, 1]
    assert watcher.source.current is before, "what did not change is the same"
    site.answer = Issuer("k2").jwks()
    assert await watcher.look(600) == 1
    assert watcher.kids == ["k2"]


async def test_an_unknown_key_is_asked_for_once_in_a_while(site: Published) -> None:
    watcher = Watcher(site)
    await watcher.look()
    assert not watcher.source.missed(), "it was only just asked"
    assert await watcher.look() == 0
    watcher.now += PAUSE
    assert watcher.source.missed() and watcher.source.missed()
    site.answer = Issuer("k2").jwks()
    assert await watcher.look() == 1
    assert watcher.kids == ["k2"]
    assert not watcher.source.missed()
    assert [await watcher.look(later) for later in (1, PAUSE)] == [0, 0]


async def test_an_outage_is_lived_through_for_so_long(site: Published) -> None:
    watcher = Watcher(site)
    await watcher.look()
    keys, site.answer = site.answer, 500
    assert await watcher.look(600) == 1
    assert len(watcher.complaints) == 1 and "500" in watcher.complaints[0]
    assert [await watcher.look(later) for later in (1, PAUSE, PAUSE)] == [0, 1, 1], "it is tried again"
    assert len(watcher.complaints) == 1, "and told once"
    assert watcher.kids == ["k1"]
    await watcher.look(2990)
    assert watcher.kids == [], "too old"
    site.answer = keys
    await watcher.look(PAUSE)
    assert watcher.kids == ["k1"] and len(watcher.complaints) == 1


@pytest.mark.parametrize("answer", [302, 404, b"", b"{", b'{"keys": []}', b"x" * (LONGEST_JWKS + 1)])
async def test_what_is_no_answer(site: Published, answer: object) -> None:
    watcher, site.answer = Watcher(site), answer
    await watcher.look()
    assert watcher.kids == [] and len(watcher.complaints) == 1 and site.asked == 1
    with pytest.raises(OSError, match=f"127.0.0.1:{site.port}"):
        await watcher.source.fetch()
