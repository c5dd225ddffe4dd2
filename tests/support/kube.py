"""The API server of Kubernetes as far as EndpointSlices go: lists in pages, watches with bookmarks, 410 Gone.

Written from https://kubernetes.io/docs/reference/using-api/api-concepts/; the objects are those of a 1.29 cluster,
with what this program has no use for left in.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Item = dict[str, Any]
PLACE = "/apis/discovery.k8s.io/v1/namespaces/agents/endpointslices"


def endpoint(pod: str, address: str, *, ready: bool = True, serving: bool = True, terminating: bool = False) -> Item:
    return {
        "addresses": [address], "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "nodeName": "worker-1", "zone": "eu-1a",
        "targetRef": {"kind": "Pod", "namespace": "agents", "name": pod, "uid": "0b1f3d0c-6d4c-4a3e-9d6a-111111111111"},
    }  # fmt: skip


class ApiServer:
    """Knows the slices of the service `tutors`, and who watches them."""

    def __init__(self) -> None:
        self.url = ""
        self.token = "t-1"
        self.version = 4200
        self.slices: dict[str, Item] = {}
        self.lists = 0
        self.page = 500
        self.gone_as_event = False
        self._oldest = 0
        self._history: list[tuple[int, Item]] = []
        self._watchers: set[asyncio.Queue[Item | None]] = set()

    def put(self, name: str, *endpoints: Item, port: int = 9000) -> None:
        """A slice appears, or changes."""
        self.version += 1
        kind = "MODIFIED" if name in self.slices else "ADDED"
        self.slices[name] = {
            "metadata": {"name": name, "namespace": "agents", "uid": f"uid-{name}", "generation": 2,
                         "resourceVersion": str(self.version), "generateName": "tutors-",
                         "labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                                    "kubernetes.io/service-name": "tutors"}},
            "addressType": "IPv4", "endpoints": list(endpoints),
            "ports": [{"name": "http", "protocol": "TCP", "port": port}],
        }  # fmt: skip
        self._tell(kind, self.slices[name])

    def drop(self, name: str) -> None:
        """A slice is deleted."""
        self.version += 1
        item = self.slices.pop(name)
        item["metadata"]["resourceVersion"] = str(self.version)
        self._tell("DELETED", item)

    def bookmark(self) -> None:
        """Say how far it is, and nothing else."""
        self.version += 1
        self._tell("BOOKMARK", {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
                                "metadata": {"resourceVersion": str(self.version), "creationTimestamp": None}})

    def forget(self) -> None:
        """Remember nothing of before: who wants to go on from there is told 410."""
        self._oldest, self._history = self.version + 1, []

    def end_watches(self) -> None:
        """As at the end of their time."""
        for watcher in self._watchers:
            watcher.put_nowait(None)

    @property
    def watched(self) -> int:
        return len(self._watchers)

    def _tell(self, kind: str, item: Item) -> None:
        event = {"type": kind, "object": json.loads(json.dumps(item))}
        if kind != "BOOKMARK":
            self._history.append((self.version, event))
        for watcher in self._watchers:
            watcher.put_nowait(event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.query["labelSelector"] == "kubernetes.io/service-name=tutors"
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"kind": "Status", "status": "Failure", "reason": "Unauthorized", "code": 401},
                                     status=401)
        return await (self._watch(request) if "watch" in request.query else self._list(request))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.lists += 1
        first, limit = int(request.query.get("continue", 0)), min(int(request.query["limit"]), self.page)
        items = list(self.slices.values())
        metadata = {"resourceVersion": str(self.version)}
        if first + limit < len(items):
            metadata |= {"continue": str(first + limit), "remainingItemCount": str(len(items) - first - limit)}
        return web.json_response({"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1",
                                  "metadata": metadata, "items": items[first:first + limit]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        assert request.query["allowWatchBookmarks"] == "true"
        gone = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
                "message": f"too old resource version: {since} ({self._oldest})"}
        if since < self._oldest and not self.gone_as_event:
            return web.json_response(gone, status=410)
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        watcher: asyncio.Queue[Item | None] = asyncio.Queue()
        if since < self._oldest:
            watcher.put_nowait({"type": "ERROR", "object": gone})
            watcher.put_nowait(None)
        for version, event in self._history:
            if version > since:
                watcher.put_nowait(event)
        self._watchers.add(watcher)
        try:
            while (told := await watcher.get()) is not None:
                line = json.dumps(told).encode() + b"\n"
                await stream.write(line[:40])  # events do not come in one piece
                await stream.write(line[40:])
        finally:
            self._watchers.discard(watcher)
        return stream


@asynccontextmanager
async def api_server() -> AsyncIterator[ApiServer]:
    """One at work on a free port."""
    server, app = ApiServer(), web.Application()
    app.router.add_get(PLACE, server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.end_watches()
        await runner.cleanup()
