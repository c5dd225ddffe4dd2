"""The successor of this process, as this one sees it: it is told, and asks, over a channel (wire/channel.py).

    it asks     ready {}                           answered, once nothing is accepted here any more, with what is known
                                                   beside sessions: {revocations, kept_out (nodes, by operators),
                                                   drained (nodes, by whomever), half_open, sources (that misbehave)}
                wanted {session}                   answered when the session is there, with whether it is
                find {agent, principal, keys}      the same for what keys lead to
                knows {agent, principal, keys}     whether they lead to any; nothing is handed over
    is asked    session {stored, journals, lasts}  to have it from here on
    notes       signal {node, message}             to be said over a trunk of ours
                failed {why}                       it will never be ready
    is noted    trunk {node, register}  heard {node, message}  hung_up {node}    what comes over our trunks
                record {fields}                    of a session that has ended here, for the one file of records
                over {}                            nothing is left here
"""

import asyncio
from collections.abc import Mapping
from socket import socket
from typing import Any, Final

from sbc.model.errors import SbcError
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Spawn
from sbc.protocols.protocol import Key
from sbc.runtime.fleet import Fleet
from sbc.runtime.hall import Hall
from sbc.runtime.succession.estate import Estate
from sbc.runtime.succession.words import revocation_out
from sbc.transports.listener import Listener
from sbc.wire.channel import Channel, ChannelLost

PATIENCE: Final = 60.0
"""Seconds that a successor has to be ready."""
TAKING: Final = 10.0
"""Seconds that it has to take one session."""


class SuccessorFailed(SbcError):
    """There is none: it has ended, or was too late. Nothing has changed."""


class Successor:
    """Implements Hearer for its channel, and Heir for the fleet."""

    def __init__(self, hall: Hall, fleet: Fleet, listeners: Mapping[str, Listener], spawn: Spawn) -> None:
        self.estate = Estate(hall, self._give)
        self._hall = hall
        self._fleet = fleet
        self._listeners = listeners
        self._channel = Channel(self, spawn)
        loop = hall.house.loop
        self._ready: asyncio.Future[None] = loop.create_future()
        self._accepting: asyncio.Future[None] = loop.create_future()

    async def ready(self, sock: socket, seconds: float = PATIENCE) -> None:
        """Until it could go on at any moment. sock: to its process. Raises SuccessorFailed: it never will."""
        try:
            await self._channel.open(sock)
            self._fleet.share(self)
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._ready)
        except (OSError, TimeoutError, ChannelLost) as error:
            self._fleet.share(None)
            self._channel.close()
            why = "it was not ready in time" if isinstance(error, TimeoutError) else str(error)
            raise SuccessorFailed(why) from None

    def accept(self) -> None:
        """Nothing is accepted here any more: now it may."""
        self._accepting.set_result(None)

    def write(self, fields: Mapping[str, Any]) -> None:
        """The record of a session that has ended here (Records)."""
        self._channel.note("record", fields=fields)

    def over(self) -> None:
        """Nothing is left here."""
        self._channel.note("over")

    def close(self) -> None:
        """This process ends. What is left here is on record, or nowhere."""
        self._channel.close()

    async def _give(self, said: Mapping[str, Any]) -> None:
        await self._channel.ask("session", TAKING, **said)

    # What it says (Hearer).

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        match what:
            case "ready":
                if not self._ready.done():
                    self._ready.set_result(None)
                await asyncio.shield(self._accepting)
                house = self._hall.house
                return {"revocations": [revocation_out(one) for one in house.revocations],
                        "kept_out": [revocation_out(one) for one in house.roster.drained],
                        "drained": self._fleet.drained(), "half_open": self._half_open(),
                        "sources": house.constable.told()}  # fmt: skip
            case "wanted":
                return await self.estate.wanted(SessionId(given["session"]))
            case "find" | "knows":
                keys = [Key(kind, value) for kind, value in given["keys"]]
                asked = AgentName(given["agent"]), PrincipalId(given["principal"]), keys
                if what == "knows":
                    return self._hall.knows(*asked)
                found = self._hall.known(*asked)
                return found if found is not None and await self.estate.wanted(found) else None
        raise SbcError(f"{what}: nobody knows what that is")

    def _half_open(self) -> list[list[str]]:
        return [[name, identity.hex()] for name, listener in self._listeners.items() for door in listener.quic_doors
                for identity in door.half_open]  # fmt: skip

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        match what:
            case "signal":
                self._fleet.send(NodeId(given["node"]), given["message"])
            case "failed":
                self._fail(str(given["why"]))

    def cut(self) -> None:
        self._fleet.share(None)
        self._fail("it has ended before it was ready; the log says why")

    def _fail(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(ChannelLost(why))
            self._ready.exception()  # whoever waited may have gone

    # What comes over our trunks (Heir).

    def registered(self, node: NodeId, register: Mapping[str, Any]) -> None:
        self._channel.note("trunk", node=node, register=register)

    def heard(self, node: NodeId, message: Mapping[str, Any]) -> bool:
        session = message.get("session")
        if session in self._hall.sessions:
            return False
        self._channel.note("heard", node=node, message=message)
        return session is not None

    def lost(self, node: NodeId) -> None:
        self._channel.note("hung_up", node=node)
