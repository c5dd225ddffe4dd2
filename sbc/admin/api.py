"""The operators' door: the admin API of docs/DESIGN.md section 5.6, with /metrics, /healthz and /readyz.

A thin skin: everything is asked of Operations, and what it refuses is answered with the refusal's own status.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from aiohttp import web

from sbc.admin.answers import answer, bad_request, fault, honest, plain_head
from sbc.admin.guard import guard, is_loopback
from sbc.admin.revoking import kind_of, revocation_of
from sbc.admin.roles import Tokens, doorkeeper
from sbc.admin.stream import Stream
from sbc.model.errors import Refusal
from sbc.model.leg import State
from sbc.model.manifest import Continuity
from sbc.model.operations import Operations
from sbc.wire.aiohttp_doors import WAIT, Patience, faults_only

BODY_LIMIT = 64 * 1024
PAGE = 100
LONGEST_PAGE = 1000
MOST_SETTLE = 600
CLOSING = 2.0
"""Seconds that answers under way are given when the door closes."""

_FILTERS = ("state", "agent", "node", "class", "limit", "after")
_NODE = "/api/v1/nodes/{name:[^/]+(?:/[^/]+)?}"
"""A node is named `name` or `pool/name`, its slash escaped or not."""

RenderMetrics = Callable[[str], Awaitable[tuple[bytes, str]]]
"""An Accept header -> the exposition and its content type."""


class AdminDoor:
    """Serves the admin API on one socket."""

    def __init__(self, operations: Operations, render_metrics: RenderMetrics, tokens: Tokens) -> None:
        self._operations = operations
        self._render_metrics = render_metrics
        self._tokens = tokens
        self._patience = Patience()
        self._stream = Stream(operations.listen)
        self._runner: web.AppRunner | None = None
        self._site: web.SockSite
        self.socket: socket.socket
        """On which it listens."""

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; the answer is the address in use, where `port` may have been 0. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=128)
        await self.start_on(listening)
        address = listening.getsockname()
        return address[0], address[1]

    async def start_on(self, listening: socket.socket) -> None:
        """Serve on a socket that listens already; the door owns it from here on."""
        keepers = [honest, self._patience.guard, guard(is_loopback(listening)), doorkeeper(self._tokens)]
        app = web.Application(middlewares=keepers, client_max_size=BODY_LIMIT)
        app.on_response_prepare.append(plain_head)
        app.add_routes(self._routes())
        self._runner = web.AppRunner(
            app, access_log=None, logger=faults_only("admin"), shutdown_timeout=CLOSING, keepalive_timeout=WAIT)
        await self._runner.setup()
        assert self._runner.server is not None
        self._patience.watch(self._runner.server)
        self._site = web.SockSite(self._runner, listening)
        self.socket = listening
        await self._site.start()

    async def accept_no_more(self) -> None:
        """Listen no more: a successor of this process does. What is under way is answered."""
        await self._site.stop()

    async def close(self) -> None:
        """Stop listening, end the event streams, and let answers under way come to their end."""
        self._stream.close()
        self._patience.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/healthz", self._health),
            web.get("/readyz", self._readiness),
            web.get("/metrics", self._metrics),
            web.get("/api/v1/sessions", self._sessions),
            web.get("/api/v1/sessions/{id}", self._session),
            web.delete("/api/v1/sessions/{id}", self._end),
            web.post("/api/v1/sessions/{id}/migrate", self._migrate),
            web.get("/api/v1/revocations", self._revocations),
            web.post("/api/v1/revocations", self._revoke),
            web.delete("/api/v1/revocations/{kind}/{name:.+}", self._forgive),
            web.get("/api/v1/edges", self._edges),
            web.get("/api/v1/nodes", self._nodes),
            web.post(_NODE + "/drain", self._drain),
            web.post(_NODE + "/undrain", self._undrain),
            web.get("/api/v1/abuse", self._abuse),
            web.delete("/api/v1/abuse/{source}", self._pardon),
            web.post("/api/v1/reload", self._reload),
            web.post("/api/v1/drain", self._depart),
            web.post("/api/v1/upgrade", self._upgrade),
            web.get("/api/v1/config", self._config),
            web.get("/api/v1/events", self._stream.answer, allow_head=False),
        ]

    async def _health(self, request: web.Request) -> web.Response:
        return answer({"alive": True})

    async def _readiness(self, request: web.Request) -> web.Response:
        reason = await self._operations.unready()
        return answer({"ready": True}) if reason is None else fault(503, "not_ready", reason)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = await self._render_metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _sessions(self, request: web.Request) -> web.Response:
        query = _query(request, _FILTERS)
        rows = await self._operations.sessions(
            state=_one_of("state", query, [state.value for state in State]),
            agent=query.get("agent"),
            node=query.get("node"),
            continuity=_one_of("class", query, [continuity.value for continuity in Continuity]),
            limit=_limit(query),
            after=query.get("after"),
        )
        return answer({"sessions": rows})

    async def _session(self, request: web.Request) -> web.Response:
        return answer(await self._operations.session(request.match_info["id"]))

    async def _end(self, request: web.Request) -> web.Response:
        return answer(await self._operations.end(request.match_info["id"]))

    async def _migrate(self, request: web.Request) -> web.Response:
        to = _destination(await _body(request))
        return answer(await self._operations.migrate(request.match_info["id"], to), 202)

    async def _revocations(self, request: web.Request) -> web.Response:
        return answer({"revocations": await self._operations.revocations()})

    async def _revoke(self, request: web.Request) -> web.Response:
        kind, name, lasts = revocation_of(await _body(request))
        return answer(await self._operations.revoke(kind, name, lasts), 201)

    async def _forgive(self, request: web.Request) -> web.Response:
        kind = kind_of(request.match_info["kind"])
        return answer(await self._operations.forgive(kind, request.match_info["name"]))

    async def _edges(self, request: web.Request) -> web.Response:
        return answer({"edges": await self._operations.edges()})

    async def _nodes(self, request: web.Request) -> web.Response:
        return answer({"nodes": await self._operations.nodes()})

    async def _drain(self, request: web.Request) -> web.Response:
        return answer(await self._operations.drain(request.match_info["name"]), 202)

    async def _undrain(self, request: web.Request) -> web.Response:
        return answer(await self._operations.undrain(request.match_info["name"]))

    async def _abuse(self, request: web.Request) -> web.Response:
        return answer({"sources": await self._operations.abuse(_limit(_query(request, ("limit",))))})

    async def _pardon(self, request: web.Request) -> web.Response:
        return answer(await self._operations.pardon(request.match_info["source"]))

    async def _reload(self, request: web.Request) -> web.Response:
        return answer(await self._operations.reload())

    async def _depart(self, request: web.Request) -> web.Response:
        return answer(await self._operations.depart(_settle(_query(request, ("settle",)))), 202)

    async def _upgrade(self, request: web.Request) -> web.Response:
        return answer(await self._operations.upgrade(), 202)

    async def _config(self, request: web.Request) -> web.Response:
        return answer(await self._operations.config())


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(WAIT):
            return await request.read()
    except TimeoutError:
        raise Refusal(408, "too_slow", f"the body has to come within {WAIT:g} seconds") from None


def _query(request: web.Request, known: Sequence[str]) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in known:
            raise bad_request(f"there is no parameter {name!r}: there {'are' if len(known) > 1 else 'is'} "
                              f"{', '.join(known)}")
        if name in query:
            raise bad_request(f"the parameter {name!r} is given twice: once is right")
        if not value:
            raise bad_request(f"the parameter {name!r} is empty: leave it out, or give it a value")
        query[name] = value
    return query


def _one_of(name: str, query: dict[str, str], values: list[str]) -> str | None:
    value = query.get(name)
    if value is not None and value not in values:
        raise bad_request(f"{name} must be one of {', '.join(values)}, and is {value!r}")
    return value


def _settle(query: dict[str, str]) -> float:
    text = query.get("settle", "0")
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_SETTLE):
        raise bad_request(f"settle is a whole number of seconds, {MOST_SETTLE} at most, not {text!r}")
    return float(text)


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", str(PAGE))
    # At most four digits: int() of a longer text is work that the asker should not be able to order.
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LONGEST_PAGE):
        raise bad_request(f"limit must be a whole number from 1 to {LONGEST_PAGE}, and is {text[:40]!r}")
    return int(text)


def _destination(body: bytes) -> str | None:
    """The node to move to; None, for the best one, if there is no body or no `to` in it."""
    if not body:
        return None
    right = 'the body must be empty or {"to": "pool/name"}'
    try:
        asked: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"{right}, and is no JSON: {error}") from error
    if not isinstance(asked, dict) or asked.keys() - {"to"}:
        raise bad_request(right)
    to = asked.get("to")
    if not (to is None or (isinstance(to, str) and to)):
        raise bad_request(f'{right}: "to" is a name')
    return to
