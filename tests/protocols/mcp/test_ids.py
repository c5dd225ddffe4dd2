"""Ids of what nodes ask their client: an answer to one owner is never taken for one to the next."""

from typing import Any

from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.ids import to_client, to_node
from tests.protocols.mcp.shapes import call, result, told


def out(value: dict[str, Any], generation: int) -> dict[str, Any]:
    changed = to_client([jsonrpc.message(value)], generation)
    return value if changed is None else changed[0]


def back(value: dict[str, Any], generation: int) -> dict[str, Any]:
    changed = to_node([jsonrpc.message(value)], generation)
    return value if changed is None else changed[0]


def test_the_first_owner_speaks_for_itself() -> None:
    assert to_client([jsonrpc.message(call(1, "roots/list"))], 0) is None
    assert to_node([jsonrpc.message(result(1))], 0) is None


def test_there_and_back() -> None:
    for identity in (1, "1", "a.b", "sbc.1.1", "ü"):
        asked = out(call(identity, "elicitation/create", message="m"), 3)
        assert asked["id"] != identity and asked["params"] == {"message": "m"}
        assert back(result(asked["id"], ok=1), 3) == result(identity, ok=1)


def test_an_answer_to_an_earlier_owner_means_nothing_to_the_next() -> None:
    asked = [1, out(call(1, "roots/list"), 1)["id"], out(call(1, "roots/list"), 2)["id"]]
    assert len(set(asked)) == 3
    assert [back(result(identity), 2)["id"] == 1 for identity in asked] == [False, False, True]
    assert [back(result(identity), 0)["id"] == 1 for identity in asked] == [True, False, False]


def test_made_up_ids_are_left() -> None:
    assert back(result("sbc.2.{"), 2)["id"] == "sbc.2.{"
    assert back({"jsonrpc": "2.0", "id": None, "error": {}}, 2)["id"] is None


def test_what_has_no_id_is_left() -> None:
    assert to_client([jsonrpc.message(told("notifications/message", data=1))], 2) is None
    assert to_client([jsonrpc.message(result(1))], 2) is None
    assert to_node([jsonrpc.message(call(1, "ping")), jsonrpc.message(told("notifications/cancelled"))], 2) is None


def test_a_node_takes_its_question_back() -> None:
    cancelled = out(told("notifications/cancelled", requestId=1, reason="late"), 2)
    assert cancelled["params"] == {"requestId": out(call(1, "roots/list"), 2)["id"], "reason": "late"}


def test_a_batch() -> None:
    changed = to_node([jsonrpc.message(call(1, "ping")), jsonrpc.message(result("sbc.1.5"))], 1)
    assert changed == [call(1, "ping"), result(5)]
