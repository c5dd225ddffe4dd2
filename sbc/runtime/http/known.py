"""What a session of requests is known by: its client's token, and keys of its client's or its node's making.

There is a compiled twin.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sbc.core.dialog import ClientSide, Dialog, NodeSide
from sbc.core.keys import field_of, minted, with_key
from sbc.core.seal import NONCE_BYTES
from sbc.core.veil import Veil
from sbc.model.http import Request, Response
from sbc.model.ids import AgentName, PrincipalId
from sbc.model.interfaces import Stored
from sbc.model.policy import Policy
from sbc.model.route import KeySource, SessionKey
from sbc.protocols.event_ids import HANDLE, new_handle
from sbc.protocols.protocol import Conversation, Key, Protocol
from sbc.runtime.house import House
from sbc.runtime.http.docket import Docket
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.journal import request_entry
from sbc.runtime.http.registry import Registry
from sbc.runtime.session import Session


class KnownSession(Session):
    """A session with its token and keys, and what its protocol remembers of it."""

    __slots__ = ("_durable", "_greeted", "_registry", "_token", "_veil", "conversation", "dispensable",
                 "docket", "handle", "key", "protocol")  # fmt: skip

    def __init__(self, house: House, dialog: Dialog, policy: Policy, record: Stored, protocol: Protocol,
                 conversation: Conversation, key: SessionKey, registry: Registry[Any]) -> None:  # fmt: skip
        """conversation: what its protocol remembers; key: where its route has the key; registry: who knows keys."""
        super().__init__(house, dialog, policy, record)
        self.protocol = protocol
        self.conversation = conversation
        self.key = key
        self.dispensable = False
        """Whether it is there for speed alone, and may be dropped when there are too many."""
        self.handle = ""
        """By what a client finds it that has no key: it comes back by its events, soon or not at all."""
        self.docket = Docket() if dialog.outbound.clerk is not None else None
        """What the store knows of answers under way; None: it knows nothing of messages."""
        self._registry = registry
        self._token = b""
        self._greeted = False
        self._veil: Veil | None = None
        self._durable = house.store.durable

    @property
    def whose(self) -> tuple[AgentName, PrincipalId]:
        """Whose keys are those by which it is known."""
        return self.record.agent, self.record.principal

    def token(self) -> bytes:
        if not self._token:
            nonce = os.urandom(NONCE_BYTES)
            self._token = self.house.seal.seal(self.dialog.session, self.record.principal, nonce).encode()
        return self._token

    def introduce(self, exchange: Exchange) -> bytes:
        """The token, if the client is to be given it with this answer; else empty."""
        if not exchange.heedless and exchange.reading.findable and (self.handle or self.nobody_knows_it):
            self.handle = exchange.answer.handle = self.handle or new_handle()
            self.learned([Key(HANDLE, self.handle)], dispensable=self.dispensable)
        # Once is enough: a client that wants to come back another way has it from its first answer.
        if self._greeted or self.nobody_knows_it:
            return b""
        self._greeted = True
        return self.token()

    def learned(self, keys: Sequence[Key], *, dispensable: bool) -> None:
        self.dispensable = self.dispensable and dispensable
        learned, forgotten = self._registry.learn(self, keys)
        if learned:
            self.house.store.learn(self.dialog.session, learned, forgotten)

    def read_answer(self, exchange: Exchange, body: bytes) -> None:
        if self.key.source is KeySource.BODY and not self._registry.knows(self):
            value = field_of(body, self.key.name)
            if value:
                self.learned([Key("route", value)], dispensable=False)

    def seal_minted(self, exchange: Exchange, response: Response) -> None:
        """Learn a key that the node made, and show it to the client sealed."""
        value = minted(response.fields, self.key)
        if value and exchange.key != (value, value):  # what the client itself made needs no seal
            self.learned([Key("route", value)], dispensable=False)
            sealed = self.house.seal.seal_key(value, self.record.principal, os.urandom(NONCE_BYTES))
            response.fields = with_key(response.fields, self.key, value, sealed)

    def known_to_node(self, exchange: Exchange) -> Request:
        """A request with the session's key as the node knows it."""
        request, key = exchange.request, exchange.key
        if key is None or key[0] == key[1]:
            return request
        return replace(request, fields=with_key(request.fields, self.key, *key))

    def covered(self, request: Request) -> Request:
        """A request as it may stand in the journal: what a store has of it shows no credentials."""
        if not self._durable:
            return request
        veil, seal = self._veil, self.house.seal
        if veil is None or veil.seal is not seal:  # a reload has changed the keys
            veil = self._veil = Veil(seal, self.dialog.session)
        return veil.cover(request)

    def lifted(self, request: Request) -> Request:
        """A request of the journal as its client made it."""
        if self._durable:
            request.fields = Veil(self.house.seal, self.dialog.session).lift(request.fields)
        return request

    @property
    def nobody_knows_it(self) -> bool:
        """Whether nobody can ever come back to it: no key leads here, and the client was given no token; or there is
        nothing of it yet, since it waits until there is room."""
        dialog = self.dialog
        waits = dialog.client is ClientSide.JOINING and dialog.node is NodeSide.WAITING
        return not self._token and (waits or not self._registry.knows(self))

    def memory(self) -> str:
        text, under_way = self.conversation.dump(), self.docket.dump() if self.docket is not None else ""
        return f"{text}\n{under_way}" if under_way else text  # what a protocol writes is one line

    def recall(self, memory: str) -> None:
        """Know again what `memory` has said. Raises ValueError."""
        text, _, under_way = memory.partition("\n")
        self.conversation.load(text)
        if self.docket is not None:
            self.docket.load(under_way)

    def remember(self) -> None:
        """Have the store know what the protocol has to remember, and which answers are under way."""
        conversation = self.conversation
        if conversation.changed:
            conversation.changed, store = False, self.house.store
            if store.durable:
                store.remember(self.dialog.session, self.memory())

    def answer_begins(self, exchange: Exchange) -> None:
        """It is a stream of events that the client can come back to: soon the store knows of it."""
        upload = exchange.upload
        if self.docket is not None and upload.whole and upload.ended:
            request = self.covered(self.known_to_node(exchange))
            entry = request_entry(request, upload.body, exchange.reading.standing)
            self.conversation.changed |= self.docket.begin(exchange.number, entry, self.dialog.outbound.count)

    def answer_ends(self, exchange: Exchange) -> None:
        """Whether it has come to its end or not: nobody is to go on with it."""
        if self.docket is not None and self.docket.end(exchange.number):
            self.conversation.changed = True
            self.remember()
