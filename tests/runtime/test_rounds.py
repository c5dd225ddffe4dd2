"""What is seen to each second: the keys of tickets do not grow old."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sbc.config import load
from sbc.runtime.authorities import Authorities
from sbc.runtime.rounds import TICKETS, Rounds
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
    rounds = Rounds(hall, lambda: None, lambda: config, listeners, None)
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
