"""Nodes from Kubernetes: the EndpointSlices of a service, listed once and then watched.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes: a list tells its
resourceVersion, a watch goes on from there and is told newer ones by bookmarks; 410 Gone, as a status or as an event,
means that the server does not remember so far back, and that all is to be listed anew.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from sbc.config.model import EndpointSlices
from sbc.core.slices import Slices
from sbc.nodes.discovery.report import Report

PAGE: Final = 500
WITHIN: Final = 10.0
"""Seconds for one page of a list, and for a watch to begin."""
WATCH: Final = 300
"""Seconds for which the server is asked to keep a watch open."""
SILENT: Final = WATCH + 60.0
"""Seconds without a word after which a watch is taken for lost."""
PAUSE: Final = 0.2
"""Seconds between two watches: a server that ends each at once is not to be asked all the time."""
LONGEST_EVENT: Final = 8 * 1024 * 1024
"""Bytes: a slice has 1,000 endpoints at most."""
GONE: Final = 410
FAULTS: Final = (ClientError, OSError, TimeoutError, ssl.SSLError, ValueError, KeyError, TypeError, AttributeError)
"""What an API server that is not there, refuses, or speaks otherwise than it should leads to."""


class Refused(OSError):
    """The API server answered with this status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"answered with status {status}: {why[:200]}")
        self.status = status


async def follow(service: EndpointSlices, slices: Slices, every: float, report: Report) -> None:
    """Report the nodes, until cancelled."""
    while True:
        try:
            async with ClientSession(cookie_jar=DummyCookieJar(), trust_env=False, read_bufsize=2**18) as http:
                way = Way(service, http)
                version = await way.list(slices)
                while True:
                    report.found(slices.found())
                    version = await way.watch(slices, version, report)
                    await asyncio.sleep(PAUSE)
        except FAULTS as fault:
            if not (isinstance(fault, Refused) and fault.status == GONE):
                report.failed(f"{service.api}: {str(fault) or type(fault).__name__}")
        await asyncio.sleep(every)


class Way:
    """To the API server."""

    def __init__(self, service: EndpointSlices, http: ClientSession) -> None:
        self._service = service
        self._http = http
        self._url = f"{service.api}/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
        self._trust: ssl.SSLContext | bool = True
        if service.api.startswith("https:"):
            self._trust = ssl.create_default_context(cafile=service.ca)

    async def list(self, slices: Slices) -> str:
        """Have all slices as they are now; their version. Raises one of FAULTS."""
        items: list[Mapping[str, Any]] = []
        query = self._query(limit=str(PAGE))
        while True:
            async with self._http.get(self._url, params=query, headers=self._headers(), ssl=self._trust,
                                      timeout=ClientTimeout(total=WITHIN)) as answer:
                if answer.status != 200:
                    raise Refused(answer.status, await answer.text())
                page = await answer.json()
            items += page["items"]
            metadata = page["metadata"]
            if not metadata.get("continue"):
                slices.reset(items)
                return str(metadata["resourceVersion"])
            query = self._query(limit=str(PAGE)) | {"continue": metadata["continue"]}

    async def watch(self, slices: Slices, version: str, report: Report) -> str:
        """Report changes until the server ends the watch: the version that it was at. Raises one of FAULTS."""
        query = self._query(watch="1", resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds=str(WATCH))
        timeout = ClientTimeout(total=None, sock_connect=WITHIN, sock_read=SILENT)
        async with self._http.get(self._url, params=query, headers=self._headers(), ssl=self._trust,
                                  timeout=timeout) as answer:
            if answer.status != 200:
                raise Refused(answer.status, await answer.text())
            text = b""
            async for piece in answer.content.iter_any():
                *lines, text = (text + piece).split(b"\n")
                if len(text) > LONGEST_EVENT:
                    raise ValueError(f"an event of more than {LONGEST_EVENT} bytes")
                for line in filter(None, lines):
                    version = _take(json.loads(line), slices, version)
                if lines:
                    report.found(slices.found())
        return version

    def _query(self, **more: str) -> dict[str, str]:
        return {"labelSelector": f"kubernetes.io/service-name={self._service.service}", **more}

    def _headers(self) -> dict[str, str]:
        file = self._service.token_file
        return {} if file is None else {"Authorization": f"Bearer {Path(file).read_text().strip()}"}


def _take(event: Mapping[str, Any], slices: Slices, version: str) -> str:
    kind, item = event["type"], event["object"]
    if kind == "ERROR":
        raise Refused(int(item.get("code", 500)), str(item.get("message", "")))
    if kind != "BOOKMARK":
        slices.change(kind, item)
    return str(item["metadata"].get("resourceVersion", version))
