"""The operators' verbs, as processes, against the real admin API."""

from collections.abc import AsyncIterator

import orjson
import pytest

from sbc.model.identity import Revoked
from tests.admin.operations import FAULTY, ROWS, RecordingOperations
from tests.admin.test_api import Caller, opened
from tests.cli.command import Ran, sbc


@pytest.fixture
async def edge() -> AsyncIterator[Caller]:
    async with opened(RecordingOperations()) as made:
        yield made


async def ask(edge: Caller, *arguments: str) -> Ran:
    return await sbc(*arguments, "--admin", edge.base, http_proxy="http://127.0.0.1:1")


async def test_sessions(edge: Caller) -> None:
    ran = await ask(edge, "sessions", "--state", "held", "--class", "interactive", "--node", "a", "--agent", "tutor",
                    "--limit", "2", "--after", "s0")
    assert edge.operations.orders == [("sessions", "held", "tutor", "a", "interactive", 2, "s0")]
    assert ran.status == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines == [["session", "state", "agent", "class", "owner", "epoch"],
                     ["s2", "held", "tutor", "interactive", "tutors/b", "2"]]


async def test_a_full_page_says_how_to_go_on_and_hostile_ids_do_nothing(edge: Caller) -> None:
    ran = await ask(edge, "sessions", "--limit", "3")
    assert "s/3 [bold]\\u001b[2J" in ran.out
    assert ran.complaint == "there may be more: --after s/3 [bold]\\u001b[2J"
    ran = await ask(edge, "sessions", "--json")
    assert orjson.loads(ran.out) == {"sessions": ROWS}


async def test_nodes_and_one_session(edge: Caller) -> None:
    ran = await ask(edge, "nodes")
    assert ran.out.splitlines()[1].split() == ["tutors/a", "up", "2", "200", "yes"]
    assert orjson.loads((await ask(edge, "nodes", "--json")).out)["nodes"][0]["sessions"] == 2
    ran = await ask(edge, "show", ROWS[2]["session"])
    assert ["state", "parked"] in [line.split() for line in ran.out.splitlines()]
    assert orjson.loads((await ask(edge, "show", "s1", "--json")).out)["journal"] == {"bytes": 12}


async def test_migrate_and_end(edge: Caller) -> None:
    for arguments in (["migrate", "s1"], ["migrate", "s1", "--to", "tutors/b"], ["end", "s2"]):
        assert (await ask(edge, *arguments)).status == 0
    assert edge.operations.orders == [("migrate", "s1", None), ("migrate", "s1", "tutors/b"), ("end", "s2")]


async def test_drain_tells_how_far_it_is(edge: Caller) -> None:
    ran = await ask(edge, "drain", "tutors/a")
    assert ran.status == 0
    assert ran.err == "tutors/a: 1 session left\n"
    assert ["sessions", "0"] in [line.split() for line in ran.out.splitlines()]


async def test_drain_need_not_wait(edge: Caller) -> None:
    ran = await ask(edge, "drain", "a", "--no-wait", "--json")
    assert (ran.status, ran.err) == (0, "")
    assert orjson.loads(ran.out) == {"node": "tutors/a", "state": "draining", "sessions": 2}
    assert (await ask(edge, "undrain", "a")).status == 0
    assert edge.operations.orders == [("drain", "a"), ("undrain", "a")]


async def test_an_edge_is_drained_itself(edge: Caller) -> None:
    ran = await ask(edge, "drain", "--edge", "--settle", "7", "--json")
    assert (ran.status, orjson.loads(ran.out)) == (0, {"state": "drained", "sessions": 0})
    assert edge.operations.orders == [("depart", 7.0)] * 2
    for wrong in (["drain"], ["drain", "a", "--edge"]):
        assert "a NODE, or --edge" in (await ask(edge, *wrong)).err


async def test_what_is_good_no_more(edge: Caller) -> None:
    assert (await ask(edge, "revoke", "principal", "jwt:https://i#ann", "--for", "8h")).status == 0
    assert (await ask(edge, "forgive", "principal", "jwt:https://i#ann")).status == 0
    assert edge.operations.orders == [("revoke", Revoked.PRINCIPAL, "jwt:https://i#ann", 28800.0),
                                      ("forgive", Revoked.PRINCIPAL, "jwt:https://i#ann")]
    assert (await ask(edge, "revocations")).out.splitlines()[1].split()[:2] == ["principal", "jwt:i#ann"]
    ran = await ask(edge, "revoke", "token", "t1", "--for", "8")
    assert ran.status == 2 and "not a duration" in ran.err
    assert (await ask(edge, "revoke", "node", "a")).status == 2


async def test_reload(edge: Caller) -> None:
    assert (await ask(edge, "reload")).status == 0
    edge.operations.reload_fails = FAULTY
    ran = await ask(edge, "reload")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.splitlines() == list(FAULTY.faults)


@pytest.mark.parametrize(("arguments", "reason"), [
    (["show", "nope"], "sbc: there is no session 'nope'"),
    (["drain", "x"], "sbc: there is no node 'x'"),
    (["migrate", "s1", "--to", "tutors/full"], "sbc: tutors/full has no room"),
    (["sessions", "--limit", "0"], "sbc: limit must be a whole number from 1 to 1000, and is '0'"),
])
async def test_a_refusal_is_one_line(edge: Caller, arguments: list[str], reason: str) -> None:
    ran = await ask(edge, *arguments)
    assert (ran.status, ran.out, ran.complaint) == (1, "", reason)


async def test_the_environment_names_the_edge(edge: Caller) -> None:
    assert (await sbc("nodes", SBC_ADMIN=edge.base)).status == 0
    assert (await sbc("nodes", SBC_ADMIN="127.0.0.1:1")).complaint == (
        "sbc: no edge answers at http://127.0.0.1:1: Connection refused")


async def test_edges(edge: Caller) -> None:
    lines = (await ask(edge, "edges")).out.splitlines()
    assert lines[0].split() == ["edge", "state", "here", "silence", "trunk", "nodes"]
    assert lines[1].split() == ["one", "up", "yes", "0.2", "ws://one:9071/trunk", "tutors/a", "tutors/b"]
