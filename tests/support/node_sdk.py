"""A node on sbc.sdk with WebSocket sessions, as a process: the agent of tests/support/conversation.py.

    python -m tests.support.node_sdk --name a --port 9001 --edge ws://127.0.0.1:9071/trunk --history FILE

It makes a checkpoint after each message of its own. `--edge` may name several trunks, with commas between them.
"""

import argparse

from aiohttp import web

from sbc.sdk import Node, Session
from tests.support.conversation import Conversation
from tests.support.history import History


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--edge", required=True)
    parser.add_argument("--history", required=True)
    parser.add_argument("--zone", default="")
    parser.add_argument("--capacity", type=int, default=2000)
    return parser.parse_args()


def main() -> None:
    """Serve until killed; a SIGTERM drains first."""
    chosen = options()
    history = History(chosen.history)
    node = Node(chosen.edge.split(","), pool="tutors", name=chosen.name, url=f"http://127.0.0.1:{chosen.port}",
                zone=chosen.zone, capacity=chosen.capacity)

    @node.agent
    async def talk(session: Session) -> None:
        memory = Conversation.resumed(session.received, session.sent, session.state)
        history.write("owner", session=session.id, epoch=session.epoch, edge=session.edge)
        while True:
            said = memory.answer(node=chosen.name, epoch=session.epoch)
            if said is not None:
                await session.send(said[0])
                session.checkpoint(memory.state())
                continue
            try:
                message = await anext(session)
            except StopAsyncIteration:
                return
            history.write("heard", session=session.id, epoch=session.epoch)
            memory.hear(str(message))

    web.run_app(node.app(), host="127.0.0.1", port=chosen.port, print=None)


if __name__ == "__main__":
    main()
