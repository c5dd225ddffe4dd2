"""A gRPC server as a node process, by grpcio and without generated code: messages are bytes.

    /t.T/Once       answers with its name, a space, and what it was asked; with the metadata `fail`: that status
    /t.T/Many       as many messages as it was asked for: number and name; `pause` (metadata): seconds between them
    /t.T/Sum        how many bytes it was sent
    /t.T/Echo       every message, as it comes
    /t.T/Big        a message of so many bytes
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from tests.support.history import History

SERVICE = "t.T"
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Service:
    def __init__(self, name: str, history: History) -> None:
        self.name = name.encode()
        self.history = history

    async def once(self, asked: bytes, call: Any) -> bytes:
        said = dict(call.invocation_metadata())
        self.history.write("once", metadata={key: str(value) for key, value in said.items()})
        await call.send_initial_metadata((("first", "yes"), ("bin-bin", b"\x00\xff")))
        call.set_trailing_metadata((("last", "yes"),))
        if "fail" in said:
            await call.abort(getattr(grpc.StatusCode, said["fail"]), "as asked: ö")
        if "wait" in said:
            try:
                await asyncio.sleep(float(said["wait"]))
            except asyncio.CancelledError:
                self.history.write("cancelled")
                raise
        return self.name + b" " + asked

    async def refuse(self, asked: bytes, call: Any) -> bytes:
        """A status and nothing before it: an answer of trailers only."""
        await call.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more")
        return b""

    async def many(self, asked: bytes, call: Any) -> AsyncIterator[bytes]:
        pause = float(dict(call.invocation_metadata()).get("pause", 0))
        self.history.write("many", metadata={key: str(value) for key, value in call.invocation_metadata()})
        try:
            for number in range(int(asked)):
                yield b"%d %s" % (number, self.name)
                await asyncio.sleep(pause)
        except (asyncio.CancelledError, GeneratorExit):  # asleep, or while its message was being written
            self.history.write("cancelled")
            raise

    async def sum(self, asked: AsyncIterator[bytes], call: Any) -> bytes:
        return b"%d" % sum([len(message) async for message in asked])

    async def echo(self, asked: AsyncIterator[bytes], call: Any) -> AsyncIterator[bytes]:
        async for message in asked:
            yield message

    async def big(self, asked: bytes, call: Any) -> bytes:
        return b"b" * int(asked)


async def main() -> None:
    options = argparse.ArgumentParser()
    for option in ("--name", "--port", "--history"):
        options.add_argument(option, required=True)
    said = options.parse_args()
    service = Service(said.name, History(said.history))
    server = grpc.aio.server(options=UNLIMITED)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {
        "Once": grpc.unary_unary_rpc_method_handler(service.once),
        "Refuse": grpc.unary_unary_rpc_method_handler(service.refuse),
        "Many": grpc.unary_stream_rpc_method_handler(service.many),
        "Sum": grpc.stream_unary_rpc_method_handler(service.sum),
        "Echo": grpc.stream_stream_rpc_method_handler(service.echo),
        "Big": grpc.unary_unary_rpc_method_handler(service.big),
    }),))
    server.add_insecure_port(f"127.0.0.1:{said.port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
