"""A plain agent node over HTTP as a process: aiohttp, no trunk, no checkpoints. What it does is said in the query.

    python -m tests.support.node_http --name a --port 9001 --history FILE

    /ask?n=1&after=0.5          JSON after so many seconds: who answers, what it was told, how many requests came before
    /events?count=9&every=0.01  server-sent events; `ids`: with ids, going on behind Last-Event-ID; `pad`: bytes in each
    /digest                     the length and SHA-256 of the body, read at most `rate` bytes a second
    /bytes?size=1000000         so many bytes; `length`: with Content-Length; `every`: seconds between pieces
    /mint?by=header|cookie|json a session key of its own making
"""

import argparse
import asyncio
import hashlib
import json

from aiohttp import web

from tests.support.history import History

PIECE = 16 * 1024


class Node:
    def __init__(self, name: str, history: History) -> None:
        self.name, self.history = name, history
        self.heard = 0

    def note(self, request: web.Request) -> dict[str, object]:
        """Put a request on record: what the node knows of it."""
        self.heard += 1
        told = {name.lower(): value for name, value in request.headers.items()}
        fact: dict[str, object] = {
            "node": self.name, "method": request.method, "path": request.path, "n": request.query.get("n"),
            "told": told, "before": self.heard - 1, "target": request.path_qs,
        }
        self.history.write("heard", **fact)
        return fact

    async def ask(self, request: web.Request) -> web.Response:
        fact = self.note(request)
        body = await request.read()
        await asyncio.sleep(float(request.query.get("after", 0)))
        return web.json_response({**fact, "body": body.decode()})

    async def events(self, request: web.Request) -> web.StreamResponse:
        self.note(request)
        query, ids = request.query, "ids" in request.query
        first = int(request.headers.get("Last-Event-ID", 0)) + 1 if ids else 1
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for number in range(first, int(query.get("count", 10)) + 1):
            said = json.dumps({"i": number, "node": self.name, "pad": "x" * int(query.get("pad", 0))})
            head = f"id: {number}\n" if ids else ""
            try:
                await answer.write(f"{head}data: {said}\n\n".encode())
            except ConnectionError:
                self.history.write("left", at=number)
                return answer
            await asyncio.sleep(float(query.get("every", 0)))
        self.history.write("said", target=request.path_qs)
        return answer

    async def digest(self, request: web.Request) -> web.Response:
        self.note(request)
        digest, length, rate = hashlib.sha256(), 0, float(request.query.get("rate", 0))
        async for piece in request.content.iter_chunked(PIECE):
            digest.update(piece)
            length += len(piece)
            if rate:
                await asyncio.sleep(len(piece) / rate)
        return web.json_response({"length": length, "digest": digest.hexdigest()})

    async def bytes(self, request: web.Request) -> web.StreamResponse:
        self.note(request)
        size, sent = int(request.query["size"]), 0
        headers = {"Content-Length": str(size)} if "length" in request.query else {}
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(request)
        while sent < size:
            piece = min(PIECE, size - sent)
            await answer.write(b"x" * piece)
            sent += piece
            self.history.write("sent", octets=sent)
            await asyncio.sleep(float(request.query.get("every", 0)))
        return answer

    async def mint(self, request: web.Request) -> web.Response:
        fact = self.note(request)
        key = f"{self.name}-{self.heard}"
        answer = web.json_response({**fact, "id": key if request.query["by"] == "json" else None})
        match request.query["by"]:
            case "header":
                answer.headers["X-Chat"] = key
            case "cookie":
                answer.set_cookie("chat", key)
        return answer


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--history", required=True)
    options = parser.parse_args()
    node = Node(options.name, History(options.history))
    app = web.Application(client_max_size=2**30)
    for prefix in ("", "/{key}"):
        for path in (node.ask, node.events, node.digest, node.bytes, node.mint):
            app.router.add_route("*", f"{prefix}/{path.__name__}", path)
    app.router.add_get("/healthz", lambda _: web.Response(text="well\n"))  # type: ignore[arg-type,return-value]
    web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
