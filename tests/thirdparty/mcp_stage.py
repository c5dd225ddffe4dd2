"""What the tests with the official MCP SDK share: two nodes behind an edge, and users of the SDK's client."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult

from tests.support.nodes import NodeProcess
from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until

NOT_SENT, UNKNOWN = -32011, -32010
LEGACY, MODERN = "legacy", "2026-07-28"
FEW = 30


def configuration(port: int) -> dict[str, Any]:
    """One agent that trusts annotations, one that does not, one that keeps nobody waiting for long."""
    def agent(**migration: Any) -> dict[str, Any]:
        return {"pool": "tutors", "continuity": "interactive", "migration": {"hold": "10s", **migration}}
    routes = {"/mcp": "trusting", "/wary": "wary", "/json": "hasty", "/single": "trusting", "/polled": "trusting"}
    return {
        "agents": {"tutor": None, "trusting": agent(trust=["annotations"]), "wary": agent(),
                   "hasty": agent(trust=["annotations"], hold="3s")},
        "listeners": [{"name": "plain", "listen": f"127.0.0.1:{port}", "transports": ["http1", "http2"]}],
        "policies": {"few": {"limits": {"sessions_per_principal": FEW}}},
        "routes": [{"match": {"path": path}, "agent": name, "protocol": "mcp", "policy": "default"}
                   for path, name in routes.items()]
                  + [{"match": {"path": "/few"}, "agent": "trusting", "protocol": "mcp", "policy": "few"}],
    }


class Stage(Scene):
    """Two MCP nodes behind one edge, for all tests."""

    async def whole(self) -> None:
        """Both nodes are up, and neither is drained."""
        for node in self.nodes.values():
            if not node.running:
                node.start()
            await self.edge.post(f"/api/v1/nodes/{node.name}/undrain")
        for node in self.nodes.values():
            await node.serving()
        await self.edge.sees(*self.nodes.values())

    def url(self, form: str) -> str:
        return f"http://127.0.0.1:{self.edge.port}/{form}"

    def did(self, what: str, key: str) -> list[str]:
        """Which nodes did this."""
        return [name for name, node in self.nodes.items() for fact in node.history(what) if fact.get("key") == key]

    def asking(self) -> NodeProcess:
        """The node that was the last to ask its client for a name."""
        return max(self.nodes.values(), key=lambda node: max((fact["t"] for fact in node.history("ask")), default=0))

    async def live(self) -> set[str]:
        """The ids of the dialogs there are."""
        return {str(row["session"]) for row in await self.edge.sessions()}

    async def touch(self, node: NodeProcess, uri: str) -> None:
        """Something changes on a node by itself."""
        async with httpx2.AsyncClient() as http:
            await http.get(f"http://127.0.0.1:{node.port}/touch", params={"uri": uri})

    def beside(self, node: NodeProcess) -> NodeProcess:
        """The other node."""
        return next(each for each in self.nodes.values() if each is not node)

    async def kill_in_the_middle(self, user: "User", tool: str, key: str) -> tuple[NodeProcess, Any]:
        """A call whose node is killed while it reports progress: that node, and what came of the call."""
        call = asyncio.create_task(user.call(tool, key))
        await user.reached(key)
        dead = self.nodes[self.did(tool, key)[0]]
        dead.kill()
        try:
            return dead, await call
        except MCPError as fault:
            return dead, fault


def text(result: Any) -> str:
    """What a tool said."""
    assert not result.is_error, result
    return str(result.content[0].text)


class User:
    """An SDK client, unchanged, and what it was told."""

    def __init__(self, url: str, mode: str = LEGACY, *, name: str = "me", http2: bool = False) -> None:
        """name: what it answers when it is asked for one; http2: by prior knowledge, in the place of HTTP/1.1."""
        async def tell(_: object, params: ElicitRequestParams) -> ElicitResult:
            while self.before_telling:
                self.before_telling.pop()()
            return ElicitResult(action="accept", content={"name": name})

        async def hear(message: Any) -> None:
            self.heard.append(message)

        async def note(request: httpx2.Request) -> None:
            self.requests[request.method] += 1
        self.heard: list[Any] = []
        self.progress: dict[str, list[float]] = {}
        self.requests: Counter[str] = Counter()
        """How many requests of each method it has made."""
        self.before_telling: list[Callable[[], None]] = []
        """Done before it answers, once it is asked for its name."""
        self._http = httpx2.AsyncClient(http1=not http2, http2=http2, timeout=httpx2.Timeout(PATIENCE, read=60),
                                        event_hooks={"request": [note]})
        place = streamable_http_client(url, http_client=self._http)
        self.client = Client(place, mode=mode, elicitation_callback=tell, message_handler=hear, cache=None,
                             read_timeout_seconds=PATIENCE)

    async def __aenter__(self) -> "User":
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *fault: Any) -> None:
        await self.client.__aexit__(*fault)
        await self._http.aclose()

    async def who(self) -> str:
        """The name of the node that answers."""
        return text(await self.client.call_tool("who", {}))

    async def ask(self) -> str:
        """Be asked for a name: the name and the node."""
        return text(await self.client.call_tool("ask", {}))

    async def call(self, tool: str, key: str, **arguments: Any) -> str:
        """Call a tool that reports progress; what it says of another call is a fault."""
        steps = self.progress.setdefault(key, [])

        async def step(now: float, _: float | None, said: str | None) -> None:
            assert said is not None and said.startswith(f"{key} "), (key, said)
            steps.append(now)
        return text(await self.client.call_tool(tool, {"key": key, **arguments}, progress_callback=step))

    async def reached(self, key: str, step: float = 2) -> None:
        """Wait until this call has reported so much progress."""
        await wait_until(lambda: self.progress.get(key, [0])[-1:] >= [step], f"{key} is at step {step}")

    def updates(self) -> list[str]:
        """Resources that were said to have changed."""
        return [str(each.params.uri) for each in self.heard if getattr(each, "method", "").endswith("/updated")]

    async def told(self, updates: int) -> None:
        await wait_until(lambda: len(self.updates()) >= updates, f"{updates} updates")
