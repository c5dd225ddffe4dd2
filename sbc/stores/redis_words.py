"""What each operation of the Redis store is in the words of the server, and what its answers mean.

All that changes something is a call of one script (redis.lua), whose keys of one session are in one slot of a cluster.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, Final, assert_never

import orjson

from sbc.model.errors import Conflict, StoreError
from sbc.model.fellow import Fellow
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import SessionId
from sbc.stores.operations import (
    Cover,
    Create,
    Forget,
    Forgive,
    Keep,
    Learn,
    Operation,
    Read,
    ReadDialogs,
    ReadRevocations,
    Rebind,
    Remember,
    Remove,
    Result,
    Revoke,
)
from sbc.stores.redis_rows import Words, claimed, journals_of, name_in, name_out, read, row, state_out
from sbc.stores.rows import answers_out
from sbc.stores.shared import (
    Beat,
    Beaten,
    Call,
    Claim,
    Find,
    Held,
    Hold,
    Look,
    Muster,
    Peek,
    Peeked,
    ReadEdges,
    ReadMembers,
    Release,
    Restate,
    Touch,
    Vacate,
)

SCRIPT: Final = files("sbc.stores").joinpath("redis.lua").read_bytes()
SHA: Final = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()
"""What the server calls the script."""
KEPT: Final = 3 * 3600
"""Seconds for which the store keeps a session that nobody touches: its edge died, and its client never came back."""

REVOCATIONS: Final = "sbc:revocations"
"""What is good no more: since when and until when, by kind and name."""
REMEMBERED: Final = 24 * 3600.0
"""Seconds for which it is known that one was taken back."""
ORDERS: Final = "sbc:orders"
"""Where it is said that one was given or taken back."""
STORES: Final = "sbc:{edges}:stores"
"""Since when each server was seen. In the slot of the leases."""
EDGES: Final = "sbc:{edges}:edges"
"""Until when each edge has its lease, and what it says of itself. In the slot of the leases."""
MEMBERS: Final = "sbc:{edges}:nodes"
"""The same for the nodes that have a trunk to it."""
MUSTERED: Final = 300_000
"""For how many milliseconds what an edge says of its nodes stands; that it is there, its lease says."""

NUMBERS: Final = "sbc:{edges}:numbers"
"""Under which number each address was taken last. In the slot of the leases."""


class Lost(Conflict):
    """The store does not know the session any more, or never did."""


class Taken(Conflict):
    """Another edge has the session."""


def lease(edge: str) -> str:
    """The key of an edge's lease. edge: its name, or one of its tenures, `name/number`."""
    return f"sbc:{{edges}}:lease:{edge.rpartition('/')[0] or edge}"


def address_key(address: str) -> str:
    """The key of an address that edges share."""
    return f"sbc:{{edges}}:address:{address}"


def channel(tenure: str) -> str:
    """Where an edge listens as long as it lives."""
    return f"sbc:edge:{tenure}"


def command(operation: Operation, me: str, milliseconds: int, store: tuple[str, str]) -> Words:
    """One operation as the server is asked for it.

    me: this tenure of this edge; milliseconds: how long a lease is; store: which server has the leases, which servers
    they all are. Raises ValueError, TypeError: it cannot be stored.
    """
    match operation:
        case Create(stored, _, _):
            return _of(stored.binding.session, "create", me, *row(stored))
        case Rebind(binding, expected):
            return _of(binding.session, "rebind", me, binding.owner, binding.replica or "", binding.epoch, expected)
        case Read(session):
            return _of(session, "read", me)
        case Peek(session):
            return _of(session, "peek", me)
        case Claim(session, edge, _):
            return _of(session, "claim", me, edge)
        case Find(agent, principal, key):
            return "GET", name_key(agent, principal, key)
        case Restate(stored, journals):
            (client_first, from_client), (node_first, from_node) = journals.from_client, journals.from_node
            return _of(stored.binding.session, "restate", me, *row(stored), client_first, node_first,
                       len(from_client), journals.memory, *from_client, *from_node)
        case Beat(former, listening, introduction):
            home, all_of_it = store
            return ("EVALSHA", SHA, 3, lease(me), STORES, EDGES, "beat", me, KEPT, former, milliseconds, _beat(),
                    home if home == listening else "", all_of_it, json.dumps(introduction))
        case ReadEdges():
            return "EVALSHA", SHA, 1, EDGES, "edges", me, KEPT
        case Muster(members):
            return "EVALSHA", SHA, 1, MEMBERS, "muster", me, KEPT, MUSTERED, orjson.dumps(members)
        case ReadMembers():
            return "EVALSHA", SHA, 1, MEMBERS, "edges", me, KEPT
        case Keep(session, from_client, first, messages):
            return _of(session, "keep", me, _flag(from_client), first, *messages)
        case Cover(session, checkpoint):
            return _of(session, "cover", me, checkpoint.received, checkpoint.sent, answers_out(checkpoint.answers),
                       *state_out(checkpoint.state))
        case Forget(session, from_client, first):
            return _of(session, "forget", me, _flag(from_client), first)
        case Learn(session, learned, forgotten):
            return _of(session, "learn", me, len(learned), *map(name_out, learned), *map(name_out, forgotten))
        case Remember(session, memory):
            return _of(session, "remember", me, memory)
        case Revoke(revocation):
            return ("HSET", REVOCATIONS, name_out((revocation.kind.value, revocation.name)),
                    f"{revocation.since!r} {revocation.until!r}")
        case Forgive(kind, name):
            # Not deleted: who still has it in force has to know that it was not lost, but taken back.
            return "HSET", REVOCATIONS, name_out((kind.value, name)), f"{time.time()!r} 0"
        case ReadDialogs():
            raise StoreError("of a store that edges share nobody has all sessions")
        case ReadRevocations():
            return "HGETALL", REVOCATIONS
        case Look(tenure):
            return "HMGET", lease(tenure), "m", "b", "s"
        case Hold(address, number, lasts, firm, former):
            return ("EVALSHA", SHA, 2, address_key(address), NUMBERS, "hold", me, KEPT, number, int(lasts * 1000),
                    _flag(firm != ""), former)
        case Vacate(address, number):
            return "EVALSHA", SHA, 1, address_key(address), "vacate", me, KEPT, number
        case Call(to, text):
            return "EVALSHA", SHA, 1, STORES, "call", me, KEPT, to, text
        case Remove(session):
            return _of(session, "remove", me)
        case Release(session):
            return _of(session, "release", me)
        case Touch(session):
            return _of(session, "touch", me)
        case _:
            assert_never(operation)


def leaving(me: str) -> Words:
    """This edge is gone."""
    return "EVALSHA", SHA, 2, lease(me), EDGES, "leave", me, KEPT


def result(operation: Operation, said: Any, store: str, settled: float) -> Result:
    """What the server's answer to an operation means. said: bytes, numbers, lists; store: which servers they are,
    and settled: since when at least, in seconds."""
    match said:
        case b"gone":
            session = _session(operation)
            return None if isinstance(operation, Claim) else _gone(operation, f"session {session} is not on record")
        case b"taken":
            return Taken(f"session {_session(operation)} is another edge's")
        case b"conflict":
            return Conflict(f"session {_session(operation)} is on record already, or at another epoch")
    match operation:
        case Read():
            return journals_of(said)
        case Claim(session):
            return claimed(session, said)
        case ReadRevocations():
            now = time.time()
            found = (one for one in _revocations(said) if one.until > now or one.until == 0)
            return sorted(found, key=lambda one: one.since)
        case ReadMembers():
            rows = zip(said[::3], said[1::3], strict=True)
            return {str(edge, "utf-8"): orjson.loads(members) for edge, members in rows}
        case ReadEdges():
            living = zip(said[::3], said[1::3], said[2::3], strict=True)
            return [Fellow(str(name, "utf-8"), json.loads(words), since / 1000) for name, words, since in living]
        case Peek():
            return Peeked(None if said is None else str(said, "utf-8"), store)
        case Find():
            return None if said is None else SessionId(str(said, "utf-8"))
        case Beat():
            if said[0] != b"ok":
                return Taken(str(said[1], "utf-8"))
            return Beaten(store, settled, int(said[2]), int(said[1]))
        case Hold():
            return Held(str(said[0], "utf-8"), int(said[1]))
    return None


def _gone(operation: Operation, why: str) -> StoreError:
    # Asked about at any time, and by whoever: no sign that the store has forgotten anything.
    return StoreError(why) if isinstance(operation, Read) else Lost(why)


def afterwards(operation: Operation, said: Any) -> list[Words]:
    """What is to be done then to the keys that lead to sessions, each of which is in a slot of its own."""
    match operation:
        case Revoke() | Forgive() if not isinstance(said, Exception):
            return [("EVALSHA", SHA, 1, STORES, "call", "", KEPT, ORDERS, "")]
        case ReadRevocations() if not isinstance(said, Exception):
            now = time.time()
            over = [one for one in _revocations(said) if (one.until or one.since + REMEMBERED) <= now]
            return [("HDEL", REVOCATIONS, name_out((one.kind.value, one.name))) for one in over]
        case Create(stored) | Restate(stored) if said == b"ok":
            return [_lead(stored.agent, stored.principal, key, stored.binding.session) for key in stored.keys]
        case Learn(session, learned, forgotten) if isinstance(said, list):
            agent, principal = map(read, said)
            return [*(_lead(agent, principal, key, session) for key in learned),
                    *(_mislead(agent, principal, key, session) for key in forgotten)]
        case Remove(session) | Touch(session) if isinstance(said, list):
            (agent, principal), names = map(read, said[0]), [name_in(name) for name in said[1]]
            change = _mislead if isinstance(operation, Remove) else _lead
            return [change(agent, principal, name, session) for name in names]
        case _:
            return []


def _revocations(said: Sequence[bytes]) -> Iterator[Revocation]:
    for name, times in zip(said[::2], said[1::2], strict=True):
        kind, called = name_in(name)
        since, until = map(float, times.split())
        yield Revocation(Revoked(kind), called, since, until)


def name_key(agent: str, principal: str, key: tuple[str, str]) -> str:
    """Under what the server has which session a key leads to: one principal's keys are never another's."""
    kind, value = key
    whole = f"{agent}\n{principal}\n{kind}\n{value}".encode("utf-8", "surrogatepass")
    return f"sbc:key:{hashlib.sha256(whole).hexdigest()[:32]}"


def _lead(agent: str, principal: str, key: tuple[str, str], session: SessionId) -> Words:
    return "SET", name_key(agent, principal, key), session, "EX", KEPT


def _mislead(agent: str, principal: str, key: tuple[str, str], session: SessionId) -> Words:
    return "EVALSHA", SHA, 1, name_key(agent, principal, key), "unname", "", KEPT, session


def _of(session: SessionId, asked: str, me: str, *rest: str | bytes | int | float) -> Words:
    base = f"sbc:{{{session}}}:"
    return ("EVALSHA", SHA, 6, base + "b", base + "c", base + "n", base + "k", base + "m", base + "s", asked, me, KEPT,
            *rest)


def _session(operation: Operation) -> str:
    match operation:
        case Create(stored) | Restate(stored):
            return stored.binding.session
        case Rebind(binding):
            return binding.session
        case (Find() | Beat() | Look() | ReadEdges() | Muster() | ReadMembers() | Hold() | Vacate() | Call() | Revoke()
              | Forgive() | ReadDialogs() | ReadRevocations()):
            return ""
        case _:
            return operation.session


def _flag(value: bool) -> str:
    return "1" if value else "0"


_beats = iter(range(1, 2**62))


def _beat() -> int:
    return next(_beats)
