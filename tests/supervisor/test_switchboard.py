"""Who hears what of a node's trunk, when there are several workers."""

from collections.abc import Mapping
from typing import Any

import pytest

from sbc.config import parse
from sbc.model.errors import Refusal
from sbc.model.ids import NodeId
from sbc.supervisor.switchboard import PULSE, Switchboard

TEXT = """
edge: {workers: 2}
trunk: {listen: "127.0.0.1:0"}
listeners: [{name: l, listen: "127.0.0.1:0"}]
pools:
  p: {nodes: [{name: a, url: "http://h:1"}]}
agents: {a: {pool: p}}
routes: [{match: {path: /}, agent: a, protocol: opaque}]
"""
REGISTER = {"type": "register", "node": "a", "pool": "p", "url": "http://h:1"}


class FakeTrunk:
    def __init__(self) -> None:
        self.node = NodeId("")
        self.sent: list[Mapping[str, Any]] = []
        self.closed: list[str] = []

    def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)

    def close(self, reason: str) -> None:
        self.closed.append(reason)


class FakeWorker:
    def __init__(self, number: int) -> None:
        self.number = number
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def note(self, what: str, /, **given: Any) -> None:
        self.notes.append((what, given))

    def heard(self, what: str = "trunk_heard") -> list[Any]:
        """And forget it."""
        found = [given for name, given in self.notes if name == what]
        self.notes.clear()
        return found


@pytest.fixture
def board() -> Switchboard:
    config = parse(TEXT, "f")
    return Switchboard(lambda: config)


@pytest.fixture
def crew(board: Switchboard) -> list[FakeWorker]:
    workers = [FakeWorker(0), FakeWorker(1)]
    for worker in workers:
        board.connected(worker)
    return workers


def word(kind: str, session: str, epoch: int = 1) -> dict[str, Any]:
    return {"type": kind, "session": session, "epoch": epoch}


def test_a_node_is_everybodys_and_a_session_is_ones(board: Switchboard, crew: list[FakeWorker]) -> None:
    trunk = FakeTrunk()
    board.registered(trunk, REGISTER)
    assert trunk.node == "p/a"
    assert [worker.heard("trunk_registered") for worker in crew] == [[{"trunk": 1, "message": REGISTER}]] * 2
    board.say(1, 1, word("invite", "s"))
    board.heard(trunk, word("accept", "s"))
    assert [len(worker.heard()) for worker in crew] == [0, 1]
    board.heard(trunk, {"type": "drain"})
    assert [len(worker.heard()) for worker in crew] == [1, 1]
    board.say(1, 1, word("release", "s"))
    board.heard(trunk, word("bye", "s"))
    assert [len(worker.heard()) for worker in crew] == [1, 1], "nobody has spoken of it: whoever has it hears it"
    assert [message["type"] for message in trunk.sent] == ["invite", "release"]


def test_a_session_that_another_worker_takes_over_is_its_own(board: Switchboard, crew: list[FakeWorker]) -> None:
    trunk = FakeTrunk()
    board.registered(trunk, REGISTER)
    board.say(0, 1, word("invite", "s", 1))
    board.say(1, 1, word("invite", "s", 2))
    board.say(0, 1, word("release", "s", 1))
    for worker in crew:
        worker.notes.clear()
    board.heard(trunk, word("checkpoint", "s", 2))
    assert [len(worker.heard()) for worker in crew] == [0, 1]


def test_heartbeats_come_together_and_a_pulse_without_any(board: Switchboard, crew: list[FakeWorker]) -> None:
    for _ in range(2 * PULSE):
        board.tell_beats()
    assert not crew[0].notes, "there are no trunks: nobody waits for a word"
    trunk = FakeTrunk()
    board.registered(trunk, REGISTER)
    beat = {"type": "heartbeat", "sessions": 3}
    crew[0].notes.clear()
    board.heard(trunk, beat)
    assert not crew[0].notes
    board.tell_beats()
    assert crew[0].heard("trunk_beats") == [{"beats": [(1, beat)]}]
    for _ in range(2 * PULSE):
        board.tell_beats()
    assert crew[0].heard("trunk_beats") == [{"beats": []}] * 2
    board.heard(trunk, beat)
    board.lost(trunk)
    board.tell_beats()
    assert not crew[0].heard("trunk_beats")


def test_a_worker_that_starts_later_hears_of_all_trunks(board: Switchboard, crew: list[FakeWorker]) -> None:
    first, second = FakeTrunk(), FakeTrunk()
    board.registered(first, REGISTER)
    board.registered(second, REGISTER)
    assert first.closed == ["another trunk of the same node"] and not second.closed
    board.lost(first)
    board.disconnected(1, forgets=False)
    late = FakeWorker(1)
    board.connected(late)
    assert late.heard("trunk_registered") == [{"trunk": 2, "message": REGISTER}]


@pytest.mark.parametrize("forgets", [True, False])
def test_nodes_are_told_of_sessions_that_are_gone_with_a_worker(
    board: Switchboard, crew: list[FakeWorker], forgets: bool,
) -> None:
    trunk = FakeTrunk()
    board.registered(trunk, REGISTER)
    board.say(0, 1, word("invite", "s0"))
    board.say(1, 1, word("invite", "s1", 7))
    trunk.sent.clear()
    board.disconnected(1, forgets=forgets)
    assert [(message["type"], message["session"], message["epoch"]) for message in trunk.sent] == (
        [("release", "s1", 7)] if forgets else [])
    board.say(1, 99, word("invite", "nobody"))


def test_a_trunk_is_closed_when_no_worker_wants_it(board: Switchboard, crew: list[FakeWorker]) -> None:
    trunk = FakeTrunk()
    board.registered(trunk, REGISTER)
    board.hang_up(0, 1, "emptied")
    assert not trunk.closed
    board.hang_up(1, 1, "emptied")
    assert trunk.closed == ["emptied"]


def test_all_workers_name_the_edges_and_a_node_hears_it_once(board: Switchboard, crew: list[FakeWorker]) -> None:
    trunk = FakeTrunk()
    board.registered(trunk, REGISTER)
    for worker in (0, 1, 0):
        board.say(worker, 1, {"type": "edges", "edges": [{"edge": "e", "trunk": "ws://h"}]})
    assert len(trunk.sent) == 1


@pytest.mark.parametrize(("change", "code"), [({"pool": "q"}, "unknown_pool")])
def test_strangers_are_refused(board: Switchboard, crew: list[FakeWorker], change: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal, match=code):
        board.registered(FakeTrunk(), REGISTER | change)
    assert not crew[0].notes
