"""The roof: builds the edge from a configuration file and runs it; or runs it with two demo nodes beside it."""

import asyncio
import resource
import shlex
import signal
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from socket import SOCK_STREAM, socket
from typing import Any

import uvloop

from sbc.admin.api import AdminDoor
from sbc.config import Config, load, parse, text_of, warnings
from sbc.model.errors import ConfigError, SbcError
from sbc.model.interfaces import Spawn
from sbc.runtime.operations import EdgeOperations
from sbc.runtime.seals import key_for_once
from sbc.runtime.server import Server
from sbc.runtime.succession.process import Legacy, take_legacy
from sbc.runtime.tasks import Tasks
from sbc.stores.factory import open_store
from sbc.supervisor.operations import CrewOperations
from sbc.supervisor.outfit import config_of, take_outfit
from sbc.supervisor.posted import serve_as_worker
from sbc.supervisor.reloading import CrewReload
from sbc.supervisor.supervisor import Supervisor
from sbc.supervisor.upgrade import CrewUpgrade
from sbc.telemetry import logs
from sbc.telemetry.collector import make_registry, render
from sbc.telemetry.systemd import listen_fds
from sbc.transports.sockets import Supply, bind

log = logs.get("sbc")

Order = Callable[[], Awaitable[Any]]


def run(path: str, when_ready: Callable[[], None] = lambda: None) -> int:
    """Run the edge of a configuration file until it is told to stop; the exit status."""
    legacy: Legacy | None = None
    try:
        outfit, legacy = take_outfit(), take_legacy()
        text = text_of(path) if outfit is None else outfit.text
        config = parse(text, path) if outfit is None else config_of(outfit)
        if legacy is not None:
            legacy.check(config)
    except SbcError as error:
        faults = error.faults if isinstance(error, ConfigError) else [str(error)]
        print(*faults, sep="\n", file=sys.stderr)
        if legacy is not None:
            legacy.refuse("; ".join(faults))
        return 1
    writer = logs.setup("info", sys.stderr, short=sys.stderr.isatty(),
                        marks=None if outfit is None else {"worker": outfit.number})
    _raise_descriptor_limit()
    if outfit is None:
        for warning in warnings(config):
            log.warning("config_warning", what=warning)
    try:
        if outfit is not None:
            uvloop.run(serve_as_worker(outfit, config))
        elif config.edge.workers > 1:
            uvloop.run(_supervise(config, text, when_ready, legacy))
        else:
            uvloop.run(_serve(config, when_ready, legacy))
    except (OSError, ssl.SSLError, SbcError) as error:
        log.error("edge_failed", why=str(error))
        return 1
    finally:
        writer.close()
    return 0


async def _serve(config: Config, when_ready: Callable[[], None], legacy: Legacy | None) -> None:
    opened = listen_fds()
    for name, sock in legacy.sockets if legacy is not None else ():
        opened.setdefault(name, []).append(sock)
    async with Tasks() as tasks:
        supply = Supply(opened)
        once, beside = (key_for_once(), "") if legacy is None else (legacy.seal, legacy.beside)
        server = Server(config, tasks, open_store(config.edge, tasks.spawn, beside), supply, once, legacy=legacy)
        operations = EdgeOperations(server.hall, server.events, lambda: server.config, server.reload, server.unready,
                                    server.departure.drain, server.upgrade.begin, server.survey)  # fmt: skip
        registry = make_registry(server.metrics, server.gauges)

        async def exposition(accept: str) -> tuple[bytes, str]:
            return render(registry, accept)

        admin = server.upgrade.doors["admin"] = AdminDoor(operations, exposition, lambda: server.config.admin.tokens)
        given = supply.take("admin", SOCK_STREAM)
        try:
            # Operators too find the process before until there is another.
            if legacy is None:
                server.ports["admin"] = await _open_admin(admin, config, given)
            await server.open()
            await server.open_doors()
            if legacy is not None:
                server.ports["admin"] = await _open_admin(admin, config, given)
            when_ready()
            _obey(server.stop.set, server.reload, server.upgrade.begin, tasks.spawn)
            await server.serve()
        except (OSError, ssl.SSLError, SbcError) as error:
            if legacy is not None:
                legacy.refuse(str(error))
            raise
        finally:
            await admin.close()


async def _supervise(config: Config, text: str, when_ready: Callable[[], None], legacy: Legacy | None) -> None:
    opened = listen_fds()
    async with Tasks() as tasks:
        once = key_for_once() if legacy is None else legacy.seal
        supervisor = Supervisor(config, text, once, tasks, opened, legacy)
        upgrade = CrewUpgrade(supervisor, tasks.spawn)
        operations = CrewOperations(supervisor, CrewReload(supervisor), upgrade)
        admin = upgrade.admin = AdminDoor(operations, operations.exposition, lambda: supervisor.config.admin.tokens)

        async def open_admin() -> None:
            given = supervisor.opened.get("admin", [None])[0]
            supervisor.ports["admin"] = await _open_admin(admin, config, given)

        _obey(supervisor.stop, operations.reload, operations.upgrade, tasks.spawn)
        try:
            await supervisor.start(open_admin)
            when_ready()
            await supervisor.serve()
        except (OSError, ssl.SSLError, SbcError) as error:
            if legacy is not None:
                legacy.refuse(str(error))
            raise
        finally:
            await supervisor.close()
            await admin.close()


async def _open_admin(admin: AdminDoor, config: Config, opened: socket | None) -> int:
    where = config.admin.listen
    if opened is None:
        return (await admin.start(where.host, where.port))[1]
    await admin.start_on(opened)
    return where.port


def _obey(stop: Callable[[], None], reload: Order, upgrade: Order, spawn: Spawn) -> None:
    """SIGTERM and SIGINT stop the edge, SIGHUP has it take its configuration again, SIGUSR2 be succeeded."""

    async def quietly(order: Order) -> None:
        with suppress(SbcError):  # told in the log and in a metric
            await order()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, lambda: spawn("reload", quietly(reload)))
    loop.add_signal_handler(signal.SIGUSR2, lambda: spawn("upgrade", quietly(upgrade)))


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
