"""The node of the benches: sends every message back. Prints its port as a line of JSON."""

import asyncio
import contextlib
import signal

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from bench.common.asked import say
from bench.common.processes import raise_file_limit


class Echo(WSListener):
    """One leg."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        match frame.msg_type:
            case WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            case WSMsgType.TEXT | WSMsgType.BINARY:
                transport.send(frame.msg_type, frame.get_payload_as_memoryview())


async def main() -> None:
    def accept(_request: WSUpgradeRequest) -> WSListener:
        return Echo()

    # aiofastnet loses bytes and crashes in places: it takes no part in a bench.
    server = await ws_create_server(accept, "127.0.0.1", 0, use_aiofastnet=False, read_buffer_init_size=8192,
                                    backlog=4096)
    say({"port": server.sockets[0].getsockname()[1]})
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


if __name__ == "__main__":
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main())
