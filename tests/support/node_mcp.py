"""An MCP agent node as a process: the official SDK's server over Streamable HTTP, in all of its forms, one a path.

    python -m tests.support.node_mcp --name a --port 9001 --history FILE

Both eras are served at each path. `/mcp` and `/wary`: sessions, answers as streams (the edge trusts the annotations of
the one alone); `/json`: sessions, answers as JSON; `/single`: no sessions; `/polled`: sessions, and streams that the
server closes on its client, to be asked for the rest.
"""

import argparse
import contextlib
import signal
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import uvicorn
from mcp.server.mcpserver import Context, Elicit, MCPServer, Resolve
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import (
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    ToolAnnotations,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.history import History
from tests.support.mcp_events import Events

FORMS = ("mcp", "wary", "json", "single", "polled", "few")
READS = ToolAnnotations(read_only_hint=True)
RETRY = 150
"""Milliseconds after which the rest of a closed stream is to be asked for."""


class Name(BaseModel):
    name: str


def server(name: str, form: str, history: History, bus: InMemorySubscriptionBus) -> MCPServer:
    """One server; history: where it writes down what it does."""
    mcp = MCPServer(f"{name}-{form}", log_level="ERROR", subscriptions=bus)

    @mcp.tool(annotations=READS)
    def who() -> str:
        """Which node this is."""
        return name

    async def steps(ctx: Context, kind: str, key: str, count: int, pause: float) -> str:
        history.write(kind, form=form, key=key)
        for step in range(1, count + 1):
            await ctx.report_progress(step, count, f"{key} {step}")
            await anyio.sleep(pause)
        history.write(f"{kind}_done", form=form, key=key)
        return f"{key} by {name}"

    @mcp.tool(annotations=READS)
    async def count(ctx: Context, key: str, count: int = 6, pause: float = 0.06) -> str:
        """Counts: may be called again."""
        return await steps(ctx, "count", key, count, pause)

    @mcp.tool()
    async def pay(ctx: Context, key: str, count: int = 6, pause: float = 0.06) -> str:
        """Pays: must not be called again."""
        return await steps(ctx, "pay", key, count, pause)

    @mcp.tool()
    async def leave(ctx: Context, key: str) -> str:
        """Closes its stream in the middle, and goes on."""
        history.write("leave", form=form, key=key)
        await ctx.report_progress(1, 4, f"{key} 1")
        await ctx.close_sse_stream()
        for step in (2, 3, 4):
            await anyio.sleep(0.1)
            await ctx.report_progress(step, 4, f"{key} {step}")
        return f"{key} by {name}"

    def asked() -> Elicit[Name]:
        history.write("ask", form=form)
        return Elicit("who is it?", Name)

    @mcp.tool()
    async def ask(answer: Annotated[Name, Resolve(asked)]) -> str:
        """Asks the client for a name."""
        return f"{answer.name} by {name}"

    @mcp.tool()
    async def touch(ctx: Context, uri: str) -> str:
        """Says to whoever listens that a resource has changed."""
        await ctx.notify_resource_updated(uri)
        await ctx.notify_tools_changed()
        if ctx.protocol_version is not None and ctx.protocol_version < "2026":
            await ctx.session.send_resource_updated(uri)
        return name

    @mcp.resource("note://{key}")
    def note(key: str) -> str:
        return f"{key} of {name}"

    @mcp.prompt()
    def greet(whom: str) -> str:
        """A greeting."""
        return f"Greet {whom}."

    async def subscribe(_: object, params: SubscribeRequestParams | UnsubscribeRequestParams) -> EmptyResult:
        history.write("subscribed", form=form, uri=str(params.uri))
        return EmptyResult()

    low = mcp._lowlevel_server
    listening = ListenHandler(bus)

    async def listen(ctx: Any, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        history.write("listening", form=form)
        return await listening(ctx, params)

    low.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, listen)
    previous = signal.getsignal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, lambda *told: [listening.close(), callable(previous) and previous(*told)])
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, subscribe)
    return mcp


async def health(_: Request) -> PlainTextResponse:
    return PlainTextResponse("well\n")


def main() -> None:
    """Serve until killed; SIGUSR1: end all subscriptions in good order, as a server does that goes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--history", required=True)
    options = parser.parse_args()
    history = History(options.history)
    bus = InMemorySubscriptionBus()

    async def touch(request: Request) -> PlainTextResponse:
        await bus.publish(ResourceUpdated(uri=request.query_params["uri"]))
        return PlainTextResponse("done\n")

    routes = [Route("/healthz", health), Route("/touch", touch)]
    servers = {form: server(options.name, form, history, bus) for form in FORMS}
    for form, mcp in servers.items():
        store = {"event_store": Events(), "retry_interval": RETRY} if form == "polled" else {}
        app = mcp.streamable_http_app(streamable_http_path=f"/{form}", json_response=form == "json",
                                      stateless_http=form == "single", **store)
        routes += app.routes

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for mcp in servers.values():
                await stack.enter_async_context(mcp.session_manager.run())
            history.write("serving")
            yield

    uvicorn.run(Starlette(routes=routes, lifespan=life), host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
