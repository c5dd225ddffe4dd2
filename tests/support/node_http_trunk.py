"""A node on sbc.sdk whose sessions are HTTP requests, as a process: the agent of tests/support/conversation.py.

    python -m tests.support.node_http_trunk --name a --port 9001 --edge ws://127.0.0.1:9071/trunk --history FILE

`POST {"n": 3, "say": 5, "every": 0.01}` is answered by five events `{"m", "n", "i", "sum", "node", "epoch"}`; with
`"say": 0` by one JSON object of that kind. `sum` is that of all `n` processed so far. `GET` with the same in its query
is a stream that a client can come back to. `--edge` may name several trunks, with commas between them.
"""

import argparse
import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from sbc.sdk import Exchange, HttpSession, Node
from tests.support.history import History


class Talker:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.history = History(options.history)
        self.memories: dict[HttpSession, dict[str, Any]] = {}

    def memory(self, session: HttpSession) -> dict[str, Any]:
        """What the session's state says, as it goes on changing."""
        if session not in self.memories:
            kept = {"total": 0, "order": [], "open": {}}
            self.memories[session] = json.loads(session.state) if session.state else kept
        return self.memories[session]

    def checkpoint(self, exchange: Exchange) -> None:
        exchange.session.checkpoint(json.dumps(self.memory(exchange.session)))

    async def talk(self, exchange: Exchange) -> None:
        """One request."""
        memory, key = self.memory(exchange.session), str(exchange.number)
        self.history.write("heard", session=exchange.session.id, epoch=exchange.session.epoch, number=exchange.number,
                           resumed=exchange.resumed, said=exchange.said, whole=exchange.whole)
        if not exchange.resumed:
            item = {"say": 1, "every": 0.0, **asked(exchange)}
            memory["total"] += item["n"]
            memory["open"][key] = item | {"sum": memory["total"]}
        item = memory["open"].get(key)
        if item is None:
            return  # its last message was said, and only the end of the answer is missing
        said = {"n": item["n"], "sum": item["sum"], "node": self.options.name, "epoch": exchange.session.epoch}
        if item["say"] == 0:
            await asyncio.sleep(item["every"])
            await exchange.reply(said | {"i": 0})
        for turn in range(exchange.said, item["say"]):
            await exchange.send(json.dumps(said | {"i": turn}))
            if self.options.checkpoint == "message":
                self.checkpoint(exchange)
            await asyncio.sleep(item["every"])
        del memory["open"][key]
        if self.options.checkpoint != "never":
            self.checkpoint(exchange)


def asked(exchange: Exchange) -> dict[str, Any]:
    """What a request says."""
    if exchange.method == "POST":
        return dict(json.loads(exchange.text))
    return {name: json.loads(value) for name, value in parse_qsl(urlsplit(exchange.target).query)}


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--edge", required=True)
    parser.add_argument("--history", required=True)
    parser.add_argument("--checkpoint", choices=["never", "answer", "message"], default="answer")
    parser.add_argument("--side-by-side", type=int, default=0)
    options = parser.parse_args()
    node = Node(options.edge.split(","), pool="tutors", name=options.name, url=f"http://127.0.0.1:{options.port}",
                drain_for=5.0)
    talker = Talker(options)
    (node.answers_side_by_side if options.side_by_side else node.answers)(talker.talk)
    node.on_checkpoint(lambda session: json.dumps(talker.memory(session)))
    web.run_app(node.app(), host="127.0.0.1", port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
