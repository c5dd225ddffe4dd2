"""A plain agent node as a process: any WebSocket server, here `websockets`. It knows nothing of trunks or checkpoints.

    python -m tests.support.node_plain --name a --port 9001 --history FILE [--close-after N --close-code C]
"""

import argparse
import asyncio
import http
import json
from collections.abc import Sequence

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.support.conversation import Conversation
from tests.support.history import History


async def answer(socket: ServerConnection, conversation: Conversation, wake: asyncio.Event, name: str) -> None:
    """Say whatever there is to say, as it comes."""
    while True:
        said = conversation.answer(node=name)
        if said is None:
            wake.clear()
            await wake.wait()
            continue
        text, pause = said
        try:
            await socket.send(text)
        except ConnectionClosed:
            return
        await asyncio.sleep(pause)


async def session(socket: ServerConnection, options: argparse.Namespace, history: History) -> None:
    """One node leg, from its opening to its end."""
    assert socket.request is not None
    headers = {key.lower(): value for key, value in socket.request.headers.raw_items()}
    name, key = options.name, headers.get("session-id", "")
    history.write("open", session=key, path=socket.request.path, headers=headers)
    conversation, wake = Conversation(), asyncio.Event()
    answering = asyncio.create_task(answer(socket, conversation, wake, name))
    try:
        async for text in socket:
            if isinstance(text, bytes):
                history.write("heard", session=key, bytes=len(text))
                await socket.send(text)
                continue
            if not text.startswith('{"n"'):
                history.write("heard", session=key, size=len(text))
                await socket.send(text)
                continue
            history.write("heard", session=key, n=json.loads(text)["n"])
            conversation.hear(text)
            wake.set()
            if options.close_after and conversation.received >= options.close_after:
                await socket.close(options.close_code, "as told")
    except ConnectionClosed:
        pass
    finally:
        answering.cancel()
        history.write("closed", session=key, code=socket.close_code, reason=socket.close_reason)


def health(socket: ServerConnection, request: Request) -> Response | None:
    """The probe's path is answered over HTTP; everything else is an upgrade."""
    return socket.respond(http.HTTPStatus.OK, "well\n") if request.path == "/healthz" else None


def choose(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """`chat`, if the client speaks it; it need not."""
    return Subprotocol("chat") if "chat" in offered else None


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--history", required=True)
    parser.add_argument("--close-after", type=int, default=0)
    parser.add_argument("--close-code", type=int, default=1000)
    parser.add_argument("--compression", choices=["deflate"], default=None)
    options = parser.parse_args()
    history = History(options.history)
    async with serve(lambda socket: session(socket, options, history), options.host, options.port, max_size=None,
                     process_request=health, compression=options.compression, ping_interval=None,
                     subprotocols=[Subprotocol("chat")], select_subprotocol=choose) as server:
        history.write("serving")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
