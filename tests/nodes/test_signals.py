"""The forms of trunk messages: what is let in as it is, and what is not."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.model.ids import PoolName, node_id
from sbc.model.node import Node, Probe
from sbc.nodes.probe import probe_url
from sbc.nodes.signals import FORMS, STATE_LIMIT, Malformed, parse

GOOD: list[dict[str, Any]] = [
    {"type": "register", "node": "a", "pool": "p", "url": "wss://node.example:9001/x"},
    {"type": "register", "node": "a-1.x_y", "pool": "p", "url": "http://[::1]:1", "zone": "", "labels": {"gpu": "h100"},
     "capacity": 0, "checkpoints": False},
    {"type": "heartbeat", "sessions": 0, "load": 1.5},
    {"type": "accept", "session": "s", "epoch": 1},
    {"type": "decline", "session": "s", "epoch": 1, "reason": "full", "retry_after": 0.5},
    {"type": "checkpoint", "session": "s", "epoch": 1, "received": 2, "sent": 3, "state": None},
    {"type": "checkpoint", "session": "s", "epoch": 1, "received": 2, "sent": 2**53 - 1, "state": "x" * STATE_LIMIT},
    {"type": "checkpoint", "session": "s", "epoch": 1, "received": 2, "sent": 3, "state": "é" * (STATE_LIMIT // 2)},
    {"type": "drain"},
    {"type": "drain", "deadline": 30},
    {"type": "bye", "session": "s", "epoch": 1, "result": "done"},
    {"type": "journal", "session": "s", "epoch": 1, "after": 9},
]

CHECKPOINT = GOOD[5]
REGISTER = GOOD[0]
BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "type"),
    ({"type": "promote"}, "type"),
    ({"type": ["register"]}, "type"),
    ({**CHECKPOINT, "received": -1}, "received"),
    ({**CHECKPOINT, "received": True}, "received"),
    ({**CHECKPOINT, "received": 1.0}, "received"),
    ({**CHECKPOINT, "sent": 2**53}, "sent"),
    ({**CHECKPOINT, "epoch": "1"}, "epoch"),
    ({**CHECKPOINT, "session": ""}, "session"),
    ({**CHECKPOINT, "session": "a\nb"}, "session"),
    ({**CHECKPOINT, "session": "x" * 513}, "session"),
    ({**CHECKPOINT, "state": {}}, "state"),
    ({**CHECKPOINT, "state": "x" * (STATE_LIMIT + 1)}, "state"),
    ({**CHECKPOINT, "state": "é" * (STATE_LIMIT // 2 + 1)}, "state"),
    ({"type": "accept", "session": "s"}, "epoch"),
    ({"type": "decline", "session": "s", "epoch": 1, "retry_after": -1}, "retry_after"),
    ({"type": "decline", "session": "s", "epoch": 1, "reason": "x" * 1025}, "reason"),
    ({"type": "heartbeat", "sessions": 1, "load": -0.1}, "load"),
    ({"type": "drain", "deadline": 1e9}, "deadline"),
    ({**REGISTER, "node": "a/b"}, "node"),
    ({**REGISTER, "pool": "p" * 65}, "pool"),
    ({**REGISTER, "url": "ftp://x"}, "url"),
    ({**REGISTER, "url": "http://"}, "url"),
    ({**REGISTER, "url": "http://x:99999"}, "url"),
    ({**REGISTER, "url": "http://[::1"}, "url"),
    ({**REGISTER, "url": "http://x/\r\nHost: y"}, "url"),
    ({**REGISTER, "url": "http://x:0/"}, "url"),
    ({**REGISTER, "url": "http://a b/"}, "url"),
    ({**REGISTER, "url": "http://[:::]:1/"}, "url"),
    ({**REGISTER, "url": "http://user@x/"}, "url"),
    ({**REGISTER, "url": "http://x/?q"}, "url"),
    ({**REGISTER, "url": "http://x/#f"}, "url"),
    ({**REGISTER, "url": "http://" + "x" * 64 + "/"}, "url"),
    ({**REGISTER, "labels": {"gpu": 1}}, "labels"),
    ({**REGISTER, "labels": {f"l{n}": "" for n in range(65)}}, "labels"),
    ({**REGISTER, "checkpoints": 1}, "checkpoints"),
]


@pytest.mark.parametrize("message", GOOD, ids=lambda message: message["type"])
def test_good_messages_pass_unchanged(message: dict[str, Any]) -> None:
    assert parse(orjson.dumps(message)) == message


@pytest.mark.parametrize(("message", "named"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_messages_are_told_which_field_is_wrong(message: dict[str, Any], named: str) -> None:
    with pytest.raises(Malformed, match=f"`{named}`"):
        parse(orjson.dumps(message))


def test_fields_without_a_name_in_the_contract_are_left_out() -> None:
    assert parse('{"type": "drain", "deadline": 1, "x": {"y": 1}}') == {"type": "drain", "deadline": 1}


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"drain"', "NaN", '{"type": "\\ud800"}', "[" * 100_000,
                                  '{"type": "heartbeat", "sessions": 1e999}'])
def test_what_is_no_message_at_all(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3))


@given(st.from_regex(r"(?:http|wss)://(?:[a-z0-9_.-]{1,70}|\[[0-9a-f:.]{1,20}\])(?::[0-9]{1,6})?(?:/[a%20./:@-]{0,9})?",
                     fullmatch=True))
def test_a_url_that_is_let_in_can_be_probed(url: str) -> None:
    with suppress(Malformed):
        parse(orjson.dumps({**REGISTER, "url": url}))
        assert probe_url(Node(node_id("p", "a"), PoolName("p"), url), Probe()).host


@given(st.sampled_from(list(FORMS)), st.data())
def test_whatever_a_node_says_is_parsed_or_malformed(kind: str, data: st.DataObject) -> None:
    message = {"type": kind} | {name: data.draw(JSON) for name in FORMS[kind]}
    try:
        text = orjson.dumps(message)
    except (TypeError, orjson.JSONEncodeError):
        return  # integers beyond 64 bits and lone surrogates never were JSON of ours
    with suppress(Malformed):
        assert parse(text)["type"] == kind
