"""What is seen to each second: the keys of tickets do not grow old, and what other edges revoke is heard of."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sbc.config import load
from sbc.core.revocations import Revocations
from sbc.model.errors import StoreError
from sbc.model.identity import Revocation, Revoked
from sbc.runtime.authorities import Authorities
from sbc.runtime.rounds import OTHERS, TICKETS, Rounds
from tests.transports.door import issued


def test_tickets_get_new_keys(tmp_path: Path) -> None:
    cert, key = issued(tmp_path)
    file = tmp_path / "sbc.yaml"
    tls = f"{{certificates: [{{cert: {cert}, key: {key}}}]}}"
    file.write_text(f"listeners: [{{name: s, listen: '127.0.0.1:0', tls: {tls}}}]\npools: {{p: {{}}}}\n"
                    "agents: {a: {pool: p}}\nroutes: [{agent: a}]\n")
    config, told, clock = load(str(file)), list[tuple[str, Any]](), SimpleNamespace(now=0.0)
    loop = SimpleNamespace(time=lambda: clock.now)
    house = SimpleNamespace(loop=loop, spawn=None, shared=None, announce=lambda *event: told.append(event))
    hall: Any = SimpleNamespace(house=house, rules=SimpleNamespace(authorities=Authorities({})))
    front = SimpleNamespace(shelf=None)
    listeners: Any = {"s": SimpleNamespace(front=front)}
    rounds = Rounds(hall, lambda: None, lambda: config, listeners, lambda fellows: None)
    clock.now = TICKETS - 1
    rounds.go()
    assert front.shelf is None, "not yet"
    clock.now = TICKETS
    rounds.go()
    first = front.shelf
    assert first is not None
    rounds.go()
    assert front.shelf is first
    Path(key).write_text("spoilt")
    clock.now = 2 * TICKETS
    rounds.go()
    assert front.shelf is first, "what cannot be read changes nothing"
    assert [event for event, _ in told] == ["certificate_rejected"]


async def test_what_other_edges_revoke_is_revoked_here() -> None:
    clock, work, revocations = SimpleNamespace(now=0.0), list[Any](), Revocations()
    found: list[Revocation] | None = []

    async def on_record() -> list[Revocation]:
        if found is None:
            raise StoreError("away")
        return list(found)
    house = SimpleNamespace(loop=SimpleNamespace(time=lambda: clock.now), spawn=lambda _, task: work.append(task),
                            shared=True, store=SimpleNamespace(revocations=on_record), revocations=revocations)
    hall: Any = SimpleNamespace(house=house, revoke=revocations.take,
                                rules=SimpleNamespace(authorities=Authorities({})))
    rounds = Rounds(hall, lambda: None, lambda: load(""), {}, lambda fellows: None)

    async def later() -> list[str]:
        clock.now += OTHERS
        rounds.go()
        rounds.go()
        (asking,) = work
        work.clear()
        await asking
        return [one.name for one in revocations]
    ours, theirs = (Revocation(Revoked.TOKEN, name, 0.0, 9e9) for name in ("ours", "theirs"))
    revocations.take(ours)  # it is not on record yet
    assert await later() == ["ours"]
    found = [theirs, ours]
    assert await later() == ["ours", "theirs"]
    found = None
    assert await later() == ["ours", "theirs"], "a store that is away takes nothing back"
    found = [ours]
    assert await later() == ["ours"], "they have forgiven it"
