"""An MCP server on sbc.sdk as a process: every step of an answer is in its checkpoint, so that none is made twice.

    python -m tests.support.node_mcp_sdk --name a --port 9001 --edge ws://127.0.0.1:9071/trunk --history FILE

MCP 2025-06-18. The tool `pay` reports `count` steps of progress, `pause` seconds apart, and answers with the number of
payments of its session so far. `--edge` may name several trunks, with commas between them.
"""

import argparse
import asyncio
import json
from typing import Any

from aiohttp import web

from sbc.sdk import Exchange, HttpSession, Node
from tests.support.history import History

PAY = {"name": "pay", "inputSchema": {"type": "object"}}


class Server:
    """The agent."""

    def __init__(self, name: str, history: History) -> None:
        self._name = name
        self._history = history
        self._memories: dict[HttpSession, dict[str, int]] = {}

    async def answer(self, exchange: Exchange) -> None:
        """One request."""
        if exchange.method != "POST":
            await exchange.reply("", status=405)
            return
        message = json.loads(exchange.text)
        match message["method"]:
            case "initialize":
                await self._reply(exchange, message, {
                    "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                    "serverInfo": {"name": self._name, "version": "1"}})
            case "tools/list":
                await self._reply(exchange, message, {"tools": [PAY]})
            case "tools/call":
                await self._pay(exchange, message)
            case _:
                await exchange.reply("", status=202)

    async def _reply(self, exchange: Exchange, message: Any, result: dict[str, Any]) -> None:
        await exchange.reply({"jsonrpc": "2.0", "id": message["id"], "result": result})

    async def _pay(self, exchange: Exchange, message: Any) -> None:
        session, params = exchange.session, message["params"]
        memory = self._memories.setdefault(session, json.loads(session.state or '{"payments": 0}'))
        if not exchange.resumed:
            memory["payments"] += 1
            memory[str(exchange.number)] = memory["payments"]
            self._history.write("paid", session=session.id, epoch=session.epoch, number=exchange.number)
        count, token = params["arguments"]["count"], params["_meta"]["progressToken"]
        for step in range(exchange.said, count):
            await self._event(exchange, {"method": "notifications/progress", "params": {
                "progressToken": token, "progress": step + 1, "total": count,
                "message": f"{params['arguments']['key']} {step + 1}"}})
            session.checkpoint(json.dumps(memory))
            await asyncio.sleep(params["arguments"]["pause"])
        number = memory.get(str(exchange.number))
        await self._event(exchange, {"id": message["id"], "result": {
            "content": [{"type": "text", "text": f"payment {number}"}]}})
        session.checkpoint(json.dumps(memory))

    async def _event(self, exchange: Exchange, said: dict[str, Any]) -> None:
        await exchange.send(json.dumps({"jsonrpc": "2.0", **said}), event="message")


async def name_session(request: web.Request, response: web.StreamResponse) -> None:
    """A session of MCP is one of the edge's."""
    if "Session-Id" in request.headers:
        response.headers["Mcp-Session-Id"] = request.headers["Session-Id"]


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    for option in ("--name", "--edge", "--history"):
        parser.add_argument(option, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    node = Node(options.edge.split(","), pool="payments", name=options.name, url=f"http://127.0.0.1:{options.port}")
    node.answers_side_by_side(Server(options.name, History(options.history)).answer)
    app = node.app()
    app.on_response_prepare.append(name_session)
    web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
