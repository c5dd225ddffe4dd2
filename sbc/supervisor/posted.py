"""A worker from its start to its end: an edge whose configuration, sockets and orders come from the supervisor."""

import asyncio
import signal
import ssl
import time
from functools import partial

from sbc.config import Config
from sbc.model.errors import SbcError
from sbc.runtime.census import Census
from sbc.runtime.operations import EdgeOperations
from sbc.runtime.server import Server
from sbc.runtime.tasks import Tasks
from sbc.stores.factory import open_store
from sbc.supervisor.briefing import learn
from sbc.supervisor.desk import Desk
from sbc.supervisor.outfit import Outfit, config_of, socket_of
from sbc.supervisor.succession import legacy_of
from sbc.supervisor.trunks import Trunks
from sbc.telemetry.collector import make_registry
from sbc.transports.sockets import Supply
from sbc.wire.channel import Channel


async def serve_as_worker(outfit: Outfit, config: Config) -> None:
    """Serve until the supervisor says that it is enough, or is gone. Raises OSError, ssl.SSLError, SbcError."""
    async with Tasks() as tasks:
        sockets = {name: [socket_of(number) for number in numbers] for name, numbers in outfit.sockets.items()}
        legacy = legacy_of(outfit, sockets)
        supply = Supply(sockets, binds=False)
        store = open_store(config.edge, tasks.spawn, outfit.beside)
        server = Server(config, tasks, store, supply, bytes.fromhex(outfit.once), outfit.worker, legacy)
        operations = EdgeOperations(server.hall, server.events, lambda: server.config, server.reload, server.unready,
                                    server.departure.drain, server.upgrade.begin, server.survey)  # fmt: skip
        registry = make_registry(server.metrics, server.gauges)
        desk = Desk(server, operations, registry, supply, socket_of(outfit.passing), partial(config_of, outfit))
        desk.channel = Channel(desk, tasks.spawn)
        desk.trunks = Trunks(server.fleet, server.upgrade.concerns, desk.channel.note)
        house = server.hall.house
        desk.census = Census(house.roster.ledger, house.turnstile, house.constable, time.monotonic)
        server.fleet.deaf = lambda: desk.trunks.silent
        server.upgrade.handed_over = partial(desk.channel.note, "handed_over")
        await desk.channel.open(socket_of(outfit.control))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a reload is the supervisor's
        try:
            await server.open()
            told = await desk.channel.ask("brief")
            if told is not None:
                await learn(server, operations, told)
            tasks.spawn("census", desk.count())
            await server.open_doors()
        except (OSError, ssl.SSLError, SbcError) as error:
            if legacy is not None:
                legacy.refuse(str(error))
            raise
        loop = asyncio.get_running_loop()
        for order in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(order, server.stop.set)
        desk.channel.note("ready")
        await server.serve()
        desk.channel.close()
