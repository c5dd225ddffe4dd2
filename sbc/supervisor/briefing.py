"""What a worker that is started while others serve has to know: what operators ordered, which nodes want no more, which
sources misbehave.

It learns that from one of them, and believes it more than its own store: it was not there when the last orders came.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sbc.model.errors import Refusal, StoreError
from sbc.model.identity import Revoked
from sbc.model.ids import NodeId
from sbc.runtime.operations import EdgeOperations, revocation_row
from sbc.runtime.server import Server


async def briefing(server: Server) -> dict[str, Any]:
    """What is in force here, as JSON values."""
    house = server.hall.house
    return {
        "revocations": [revocation_row(one) for one in house.revocations],
        "drained": [one.name for one in house.roster.drained],
        "draining": server.fleet.drained(),
        "sources": house.constable.told(),
    }


async def learn(server: Server, operations: EdgeOperations, told: Mapping[str, Any]) -> None:
    """Have here what is in force there."""
    now, house = time.time(), server.hall.house
    theirs = {(Revoked(row["kind"]), str(row["name"])): float(row["until"]) - now for row in told["revocations"]}
    ours = {(one.kind, one.name) for one in house.revocations}
    drained, ours_drained = set(told["drained"]), {one.name for one in house.roster.drained}
    with suppress(Refusal, StoreError):  # too many, as for those who told of them; readiness tells of the store
        for (kind, name), left in theirs.items():
            if left > 0 and (kind, name) not in ours:
                await operations.revoke(kind, name, left)
        for kind, name in ours - theirs.keys():
            await operations.forgive(kind, name)
        for node in drained - ours_drained:
            await operations.keep_out(NodeId(node))
        for node in ours_drained - drained:
            await operations.let_in(NodeId(node))
    server.fleet.drain(told["draining"])
    house.constable.learn(told["sources"])
