"""Which nodes the fleet lets in and keeps."""

from collections.abc import Mapping
from typing import Any

import pytest

from sbc.config import parse
from sbc.core.roster import Roster
from sbc.model.errors import Refusal
from sbc.model.ids import NodeId, node_id
from sbc.model.manifest import Continuity
from sbc.runtime.fleet import Fleet
from sbc.telemetry.metrics import Metrics

CONFIG = """\
listeners: [{name: plain, listen: "127.0.0.1:0"}]
pools: {p: {probe: null, %s}}
agents: {a: {pool: p}}
routes: [{agent: a}]
"""


class Hall:
    """Remembers who is to go."""

    def __init__(self) -> None:
        self.leaving: list[NodeId] = []

    def node_leaves(self, node: NodeId, deadline: float | None) -> None:
        self.leaving.append(node)

    def node_ready(self) -> None:
        pass

    def node_silent(self, node: NodeId, continuity: Continuity | None) -> None:
        raise AssertionError

    def node_says(self, node: NodeId, message: Mapping[str, Any]) -> None:
        raise AssertionError


class Line:
    """A trunk that says nothing."""

    node = NodeId("")

    def send(self, message: Mapping[str, Any]) -> None:
        pass

    def close(self, reason: str) -> None:
        pass


def register(fleet: Fleet, name: str, url: str) -> None:
    fleet.registered(Line(), {"type": "register", "pool": "p", "node": name, "url": url})


def ignore(*_: Any) -> None:
    pass


@pytest.fixture
def made() -> tuple[Fleet, Roster, Hall]:
    roster, hall = Roster(), Hall()
    fleet = Fleet(roster, Metrics(), ignore, ignore, lambda: 0.0, None)  # type: ignore[arg-type]  # nothing is probed
    fleet.hall = hall
    return fleet, roster, hall


def test_a_pool_that_has_to_speak_tls_lets_no_other_node_in(made: tuple[Fleet, Roster, Hall]) -> None:
    fleet, roster, _ = made
    fleet.apply(parse(CONFIG % "tls: {}", "f"))
    for url in ("http://n:1", "ws://n:1", "h2c://n:1"):
        with pytest.raises(Refusal, match="have to speak TLS"):
            register(fleet, "a", url)
    for name, url in (("b", "https://n:1"), ("c", "wss://n:1"), ("d", "h2://n:1")):
        register(fleet, name, url)
    assert len(list(roster)) == 3


def test_those_without_tls_go_when_a_reload_asks_for_it(made: tuple[Fleet, Roster, Hall]) -> None:
    fleet, _, hall = made
    written = "nodes: [{name: w, url: '%s://n:1'}]"
    fleet.apply(parse(CONFIG % written % "http", "f"))
    register(fleet, "a", "http://n:2")
    register(fleet, "b", "https://n:3")
    fleet.apply(parse(CONFIG % f"tls: {{}}, {written}" % "https", "f"))
    assert hall.leaving == [node_id("p", "a")]  # type: ignore[arg-type]


@pytest.mark.parametrize(("sessions", "load", "strain"), [
    (0, 0.0, 0.0), (5, 0.5, 0.0), (10, 1.0, 0.0), (9, 0.93, 0.0), (5, 0.9, 0.9), (0, 7.0, 1.0),
])  # fmt: skip
def test_a_node_that_is_full_is_not_hard_pressed_and_one_that_says_more_is(
    made: tuple[Fleet, Roster, Hall], sessions: int, load: float, strain: float
) -> None:
    fleet, roster, _ = made
    fleet.apply(parse(CONFIG % "", "f"))
    trunk = Line()
    fleet.registered(trunk, {"type": "register", "pool": "p", "node": "a", "url": "http://n:1", "capacity": 10})
    fleet.heard(trunk, {"type": "heartbeat", "sessions": sessions, "load": load})
    (standing,) = roster
    assert (standing.reported_load, standing.strain) == (load, strain)
