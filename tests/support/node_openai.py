"""An inference server that speaks a little of the OpenAI API, as a process. It says its name and counts.

Responses are kept in its own memory; events of background responses are known to all such servers, as with a store
that they share, so that any of them goes on where another one was.
"""

import argparse
import asyncio
import itertools
import json
from typing import Any

from aiohttp import web

from tests.support.history import History

STEPS = 8
STEP = 0.03


def pieces(name: str) -> list[str]:
    return [f"{name} ", *(f"{number} " for number in range(STEPS))]


def response(identity: str, status: str, text: str = "") -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": status, "content": [part]}
    return {"id": identity, "object": "response", "created_at": 1, "model": "m", "status": status, "tools": [],
            "output": [message] if text else [], "parallel_tool_calls": False, "tool_choice": "auto"}


def events_of(identity: str, texts: list[str]) -> list[dict[str, Any]]:
    """All that a stream of this response says."""
    deltas = [{"type": "response.output_text.delta", "delta": text, "item_id": "m", "output_index": 0,
               "content_index": 0, "logprobs": []} for text in texts]
    said = [{"type": "response.created", "response": response(identity, "in_progress")}, *deltas,
            {"type": "response.completed", "response": response(identity, "completed", "".join(texts))}]
    return [event | {"sequence_number": number} for number, event in enumerate(said)]


class Server:
    def __init__(self, name: str, history: History) -> None:
        self.name = name
        self.history = history
        self.kept: set[str] = set()
        self._numbers = itertools.count(1)

    async def _stream(self, request: web.Request, events: list[dict[str, Any]], *, named: bool) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for event in events:
            head = f"event: {event['type']}\n" if named else ""
            await answer.write(f"{head}data: {json.dumps(event)}\n\n".encode())
            await asyncio.sleep(STEP)
        if not named:
            await answer.write(b"data: [DONE]\n\n")
        return answer

    async def chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.history.write("chat", asked=asked)
        base = {"id": "chatcmpl-1", "created": 1, "model": "m"}
        if not asked.get("stream"):
            if asked["model"] == "slow":
                await asyncio.sleep(30)
            message = {"role": "assistant", "content": self.name}
            return web.json_response(base | {"object": "chat.completion", "choices": [
                {"index": 0, "message": message, "finish_reason": "stop"}]})
        chunks = [base | {"object": "chat.completion.chunk", "choices": [
            {"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in pieces(self.name)]
        return await self._stream(request, chunks, named=False)

    async def create(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.history.write("response", asked=asked)
        before = asked.get("previous_response_id")
        if before is not None and before not in self.kept:
            return web.json_response({"error": {"message": f"{before} is not here", "code": "gone"}}, status=404)
        identity = f"resp_{self.name}{next(self._numbers)}"
        self.kept.add(identity)
        if asked.get("stream"):
            texts = pieces("any" if asked.get("background") else self.name)
            return await self._stream(request, events_of(identity, texts), named=True)
        return web.json_response(response(identity, "completed", self.name))

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        after = int(request.query.get("starting_after", -1))
        self.history.write("resumed", after=after)
        events = events_of(request.match_info["id"], pieces("any"))
        return await self._stream(request, events[after + 1:], named=True)


async def health(_: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    options = argparse.ArgumentParser()
    for option in ("--name", "--port", "--history"):
        options.add_argument(option, required=True)
    said = options.parse_args()
    server = Server(said.name, History(said.history))
    application = web.Application()
    application.add_routes([
        web.get("/healthz", health), web.post("/v1/chat/completions", server.chat),
        web.post("/v1/responses", server.create), web.get("/v1/responses/{id}", server.go_on)])
    web.run_app(application, host="127.0.0.1", port=int(said.port), print=None, access_log=None)


if __name__ == "__main__":
    main()
