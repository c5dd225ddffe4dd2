"""The roof: builds the edge from a configuration file and runs it; or runs it with two demo nodes beside it."""

import resource
import shlex
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import uvloop

from sbc.admin.api import AdminDoor
from sbc.config import Config, load, warnings
from sbc.model.errors import ConfigError, SbcError
from sbc.runtime.operations import EdgeOperations
from sbc.runtime.server import Server
from sbc.runtime.tasks import Tasks
from sbc.stores.factory import open_store
from sbc.telemetry import logs
from sbc.telemetry.collector import make_registry, render
from sbc.telemetry.systemd import listen_fds
from sbc.transports.sockets import bind

log = logs.get("sbc")


def run(path: str, when_ready: Callable[[], None] = lambda: None) -> int:
    """Run the edge of a configuration file until it is told to stop; the exit status."""
    try:
        config = load(path)
    except ConfigError as error:
        print(*error.faults, sep="\n", file=sys.stderr)
        return 1
    writer = logs.setup("info", sys.stderr, short=sys.stderr.isatty())
    _raise_descriptor_limit()
    for warning in warnings(config):
        log.warning("config_warning", what=warning)
    try:
        uvloop.run(_serve(config, path, when_ready))
    except (OSError, ssl.SSLError, SbcError) as error:
        log.error("edge_failed", why=str(error))
        return 1
    finally:
        writer.close()
    return 0


async def _serve(config: Config, path: str, when_ready: Callable[[], None]) -> None:
    inherited = listen_fds()
    async with Tasks() as tasks:
        server = Server(config, path, tasks, open_store(config.edge, tasks.spawn), inherited)
        operations = EdgeOperations(server.hall, server.events, lambda: server.config, server.reload, server.unready)
        registry = make_registry(server.metrics, server.gauges)
        admin = AdminDoor(operations, partial(render, registry), lambda: server.config.admin.tokens)
        sockets = inherited.get("admin")
        if sockets:
            await admin.start_on(sockets[0])
        else:
            where = config.admin.listen
            server.ports["admin"] = (await admin.start(where.host, where.port))[1]
        try:
            await server.start()
            when_ready()
            await server.serve()
        finally:
            await admin.close()


def _raise_descriptor_limit() -> None:
    """Every session takes two descriptors or more; what the administrator allows is made use of."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a sandbox may forbid it, and sets the limit itself
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# The demo.

NODES = (("a", 9001), ("b", 9002))


def demo(path: str) -> int:
    """Run the edge of `path` with two demo agents beside it, and say how to talk to it; the exit status."""
    try:
        config = load(path)
    except ConfigError as error:
        print(*error.faults, sep="\n", file=sys.stderr)
        return 1
    if config.trunk is None:
        print(f"{path}: the demo's nodes need a trunk to register on", file=sys.stderr)
        return 1
    for name, port in NODES:
        try:
            bind("127.0.0.1", port).close()
        except OSError as error:
            print(f"the demo's agent {name}: {error.strerror}", file=sys.stderr)
            return 1
    nodes = {name: _start_node(name, port, str(config.trunk.listen)) for name, port in NODES}
    try:
        return run(path, lambda: print(_what_to_try(config, path, nodes), flush=True))
    finally:
        for process in nodes.values():
            process.terminate()
        for process in nodes.values():
            process.wait()


def _start_node(name: str, port: int, trunk: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "sbc.demo.agent", "--name", name, "--port", str(port),
               "--edge", f"ws://{trunk}/trunk"]  # fmt: skip
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _what_to_try(config: Config, path: str, nodes: "dict[str, subprocess.Popen[bytes]]") -> str:
    where = f"ws://{config.listeners[0].listen}/chat"
    (one, first), (other, second) = nodes.items()
    prefix = Path(sys.executable).parent
    here = Path.cwd()
    tools = prefix.relative_to(here) if prefix.is_relative_to(here) else prefix
    file = shlex.quote(path)
    trunk = config.trunk.listen if config.trunk else ""
    return f"""
The edge listens on {where}. Two demo agents serve behind it: {one} is process {first.pid}, {other} is {second.pid}.

Talk to it in another terminal, in this directory: say something, and the answer comes word by word.

  {tools}/python -m websockets {where}

Or ask over HTTP, as whoever you say you are; each word is an event:

  curl -N -H 'Chat-Id: me' -d 'hello' http://{config.listeners[0].listen}/ask

In a third terminal, while an answer comes, kill the agent that gives it, whichever of the two that is. The other one
goes on with the answer: no word is missing, none is said twice, and the connection stays open.

  kill -9 $(curl -s {" ".join(f"http://127.0.0.1:{port}/answering" for _, port in NODES)} | head -1)

  who owns what    {tools}/sbc sessions -c {file}
                   {tools}/sbc nodes -c {file}
  bring {one} back     {tools}/python -m sbc.demo.agent --name {one} --port {NODES[0][1]} --edge ws://{trunk}/trunk
  bring {other} back     {tools}/python -m sbc.demo.agent --name {other} --port {NODES[1][1]} --edge ws://{trunk}/trunk
  move a session   {tools}/sbc migrate SESSION -c {file}      (SESSION: the first column of `sbc sessions`)
  empty a node     {tools}/sbc drain {other} -c {file}            (and give it work again: sbc undrain {other})
  metrics          curl http://{config.admin.listen}/metrics

Ctrl-C stops the edge and the two agents.
"""
